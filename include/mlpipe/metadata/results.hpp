#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/engine/values.hpp"

namespace mlpipe::metadata {

// A result that the record knows: of an attempt that succeeded, or of a task that was cached.
struct StoredResult {
  std::string run_id;
  std::string task;
  WallTime finished{};
  bool removed = false;  // its payload was taken away
  engine::TaskData outputs;
};

// Finds results by what they were made of. Who records a run can do it, and who only reads the record.
class ResultSearch {
 public:
  virtual ~ResultSearch() = default;
  // The results with this fingerprint, the newest first, at most `limit`. What others recorded since the caller's latest
  // commit or look_afresh() may be missing: asking for many costs less that way.
  virtual Result<std::vector<StoredResult>> results(const std::string& fingerprint, std::size_t limit) = 0;
  // What anybody has recorded until now is seen from here on.
  virtual void look_afresh() = 0;
};

}  // namespace mlpipe::metadata
