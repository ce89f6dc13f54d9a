#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "mlpipe/base/result.hpp"
#include "mlpipe/sys/fd.hpp"
#include "mlpipe/sys/file_digests.hpp"

namespace mlpipe::artifact {

// What the restores of one store share. Any thread.
struct RestoreState {
  std::atomic<bool> may_clone{true};  // until a file system says that it cannot
  // Held from looking a file up to remembering it under the change time that a new link or name gave it: another link
  // made in between would make both forget the digest.
  std::mutex linking;
  sys::Fd run_folder;  // open once there was something to link; under `linking`
};

// The usual case in as few system calls as it takes, for there may be thousands of them: the file at `from` is sealed,
// its digest is known to be `hex`, and a link to it can be made at `relative` below `run_folder`. False: something of
// this is not so, and nothing new is there but perhaps folders; restore_payload() does it or says why not.
bool link_known(const std::string& from, const std::filesystem::path& run_folder, const std::string& relative,
                std::string_view hex, RestoreState& state, sys::FileDigests& digests);

// Makes the sealed file or folder at `from` appear at `to`, as ArtifactStore::restore() promises. The folder of `to` is
// made, and the name ".mlpipe-restore" in it is ours.
Result<> restore_payload(const std::filesystem::path& from, const std::filesystem::path& to, RestoreState& state,
                         sys::FileDigests* digests, const std::function<bool()>& stop);

}  // namespace mlpipe::artifact
