#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "mlpipe/base/result.hpp"
#include "mlpipe/engine/values.hpp"
#include "mlpipe/sys/file_digests.hpp"

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
  // Nobody may be writing to it any more.
  virtual Result<> commit(const std::filesystem::path& staged, const std::string& uri,
                          const std::function<bool()>& stop) = 0;

  // Describes what is at `uri` (importers): digest, size, kind; not_found when nothing is.
  virtual Result<engine::Artifact> describe(const std::string& uri, const std::function<bool()>& stop) = 0;

  // Makes the artifact `stored` of an earlier run appear at `uri` of this one, without a copy of its bytes where the file
  // system allows: it shares their blocks (reflink) or the file itself (hard link, of files that nobody may write to);
  // another file system gets a copy. Links in it are made anew, none is followed; modes are as after commit(). What lies
  // at `uri` is replaced. Readers see all of it or nothing, but it is not yet on the disk and counts for nothing until
  // the record says so: the caller calls sys::sync_file_system() once for many before it commits the record.
  // False, and nothing is made: `stored` is not whole, as is_whole() says.
  virtual Result<bool> restore(const engine::Artifact& stored, const std::string& uri,
                               const std::function<bool()>& stop) = 0;

  // Is the payload of `stored` there, as it was when it was published? False when it is gone, differs in content, names,
  // kinds or executable bits, is being written to, or holds what no artifact may hold; times and owners do not count.
  // An Error only when that cannot be known. Files whose digests are known are not read.
  virtual Result<bool> is_whole(const engine::Artifact& stored, const std::function<bool()>& stop) = 0;
};

// The store of a run's folder on this machine's disk. `digests` spares it reading unchanged files again and learns what
// it reads; null: it always reads. Borrowed.
std::unique_ptr<ArtifactStore> make_local_store(std::filesystem::path run_folder, sys::FileDigests* digests = nullptr);

}  // namespace mlpipe::artifact
