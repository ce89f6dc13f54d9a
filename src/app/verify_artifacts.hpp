#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/engine/values.hpp"
#include "mlpipe/sys/stop_signal.hpp"

namespace mlpipe::app {

enum class Finding {
  ok,
  changed,     // other bytes, names or kinds than recorded
  missing,     // nothing is there
  removed,     // nothing is there, and the record says that it was taken away (keep: false, gc)
  unreadable,  // nobody can say: no permission, a broken disk, not on this machine
};
std::string_view to_string(Finding finding);

// A recorded artifact and what was found of it.
struct VerifiedArtifact {
  std::string task;
  std::string output;
  engine::Artifact recorded;
  std::filesystem::path path;     // where it should be; empty: not on this machine
  std::optional<WallTime> since;  // nothing of it changed before then without being recorded

  Finding finding = Finding::ok;
  std::string digest;  // as found; empty when nothing could be read
  std::uint64_t bytes = 0;
  std::string message;             // why it is changed or unreadable, where more is known than another digest
  std::vector<std::string> files;  // of a changed folder: what was written or left behind since; empty: not known
};

// Bytes that were read so far (near enough for people), and artifacts that are done. Called on the caller's thread.
using VerifyProgress = std::function<void(std::uint64_t bytes, std::size_t artifacts)>;

// Reads all there is of `artifacts` (but of those found removed before), several at a time, and fills in what was found.
// `progress` may be empty; it is called a few times a second. False: `stop` was requested before the end.
bool verify_artifacts(std::vector<VerifiedArtifact>& artifacts, const sys::StopSignal& stop,
                      const VerifyProgress& progress);

}  // namespace mlpipe::app
