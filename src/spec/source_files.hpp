#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mlpipe/base/result.hpp"
#include "mlpipe/spec/diagnostic.hpp"

namespace mlpipe::spec {

// `path` as SourceFile::path has it: absolute, lexically normal, without a `/` at its end.
std::filesystem::path source_path(const std::filesystem::path& path);

// Where texts come from.
enum class Origin { disk, snapshot };

// The files that pipelines and components are read from: those of a snapshot, and where that has none, those of the disk.
// Borrows the snapshot. All paths are source paths. A look-up in the snapshot takes the same time however large it is.
class SourceFiles final {
 public:
  explicit SourceFiles(const std::vector<SourceFile>* snapshot);

  bool has(const std::filesystem::path& file, Origin origin) const;
  Origin origin_of(const std::filesystem::path& file) const;
  // The text of `file`; an Error when it cannot be read from the disk or is too large.
  Result<std::string> read(const std::filesystem::path& file) const;

 private:
  const SourceFile* find(const std::filesystem::path& file) const;

  std::unordered_map<std::string_view, const SourceFile*> snapshot_;
};

// The component file among `files` that `path` names: the file itself, or the component.yaml in the folder.
std::optional<std::filesystem::path> component_file(const SourceFiles& files, const std::filesystem::path& path,
                                                    Origin origin);

}  // namespace mlpipe::spec
