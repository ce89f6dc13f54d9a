#include "spec/source_files.hpp"

#include "mlpipe/sys/file.hpp"

namespace mlpipe::spec {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t k_most_source_bytes = 64U << 20U;

}  // namespace

fs::path source_path(const fs::path& path) {
  std::error_code ignored;
  fs::path normal = fs::absolute(path.empty() ? fs::path(".") : path, ignored).lexically_normal();
  return normal.has_filename() || normal == normal.root_path() ? normal : normal.parent_path();
}

SourceFiles::SourceFiles(const std::vector<SourceFile>* snapshot) {
  if (snapshot == nullptr) return;
  snapshot_.reserve(snapshot->size());
  for (const SourceFile& file : *snapshot) {
    if (!file.path.empty()) snapshot_.emplace(file.path, &file);
  }
}

bool SourceFiles::has(const fs::path& file, Origin origin) const {
  if (origin == Origin::snapshot) return find(file) != nullptr;
  std::error_code ignored;
  return fs::is_regular_file(file, ignored);
}

Origin SourceFiles::origin_of(const fs::path& file) const {
  return find(file) != nullptr ? Origin::snapshot : Origin::disk;
}

Result<std::string> SourceFiles::read(const fs::path& file) const {
  if (const SourceFile* known = find(file)) return known->text;
  return sys::read_file(file, k_most_source_bytes);
}

const SourceFile* SourceFiles::find(const fs::path& file) const {
  auto found = snapshot_.find(file.native());
  return found == snapshot_.end() ? nullptr : found->second;
}

std::optional<fs::path> component_file(const SourceFiles& files, const fs::path& path, Origin origin) {
  if (files.has(path, origin)) return path;
  if (fs::path inside = path / "component.yaml"; files.has(inside, origin)) return inside;
  return std::nullopt;
}

}  // namespace mlpipe::spec
