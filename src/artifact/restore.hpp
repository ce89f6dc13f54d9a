#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <mutex>

#include "mlpipe/base/result.hpp"
#include "mlpipe/sys/file_digests.hpp"

namespace mlpipe::artifact {

// What the restores of one store share. Any thread.
struct RestoreState {
  std::atomic<bool> may_clone{true};  // until a file system says that it cannot
  // Held from looking a file up to remembering it under the change time that a new link or name gave it: another link
  // made in between would make both forget the digest.
  std::mutex linking;
};

// Makes the sealed file or folder at `from` appear at `to`, as ArtifactStore::restore() promises. The folder of `to` is
// made, and the name ".mlpipe-restore" in it is ours.
Result<> restore_payload(const std::filesystem::path& from, const std::filesystem::path& to, RestoreState& state,
                         sys::FileDigests* digests, const std::function<bool()>& stop);

}  // namespace mlpipe::artifact
