#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "mlpipe/base/result.hpp"
#include "mlpipe/engine/values.hpp"

namespace mlpipe::artifact {

// Where the artifacts of runs live. Any thread; calls about different artifacts may run at once.
class ArtifactStore {
 public:
  virtual ~ArtifactStore() = default;

  // The URI under which `output` of the task at `task_path` is (to be) published.
  virtual std::string uri_of(std::string_view task_path, std::string_view output, std::string_view file_name) const = 0;

  // Makes the bytes of the artifact at `uri` readable at the returned local path. The local store: no copy, the path itself.
  virtual Result<std::filesystem::path> fetch(const std::string& uri, const std::function<bool()>& stop) = 0;

  // Publishes the file or folder at `staged` (<attempt>/work/<output>/<file name>) as `uri`; readers see all of it or
  // nothing. Consumes `staged` and what else lies in its folder. Publishing the same attempt's output again after a crash
  // is fine; what an earlier attempt left at `uri` before a crash is replaced. Afterwards the payload is read-only: its
  // files for everybody, its folders for all but their owner (who may have to remove them); set-id bits are gone.
  virtual Result<> commit(const std::filesystem::path& staged, const std::string& uri, const std::function<bool()>& stop) = 0;

  // Describes what is at `uri` (importers): digest, size, kind; not_found when nothing is.
  virtual Result<engine::Artifact> describe(const std::string& uri, const std::function<bool()>& stop) = 0;
};

// The store of a run's folder on this machine's disk.
std::unique_ptr<ArtifactStore> make_local_store(std::filesystem::path run_folder);

}  // namespace mlpipe::artifact
