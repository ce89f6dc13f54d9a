#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/engine/values.hpp"

// What made an artifact, and what was made from it. Artifacts are the same when their digests are equal; those without a digest
// when their URIs are.
namespace mlpipe::metadata {

// The latest attempt of a task, or its result from the cache, with what it took and gave.
struct Making {
  std::string run;
  std::string pipeline;
  std::string task;
  int attempt = 0;    // 0: from the cache
  std::string state;  // running state or the end, "cached"
  std::string component;
  std::string image;  // as written; empty: an importer
  std::string image_id;
  std::string git_commit;  // of the pipeline's folder; empty when it is in none
  bool git_dirty = false;
  std::string cached_from;  // run whose result stands for its own
  bool removed = false;     // its artifacts' payload was taken away
  std::optional<WallTime> finished;
  engine::TaskData inputs;
  engine::TaskData outputs;
  std::string fingerprint;  // empty: of an importer, or recorded by an older version
};

enum class Side { input, output };

// The attempts that took (input) or gave (output) an artifact.
struct MakingQuery {
  Side side = Side::output;
  std::string digest;
  std::string uri;         // without a digest the condition; with one those of this URI come first
  std::string first_run;   // those of this run come before all others
  std::string not_of_run;  // without the task not_of_task of that run
  std::string not_of_task;
  std::size_t limit = 1;  // then those that are no cached results come first, and the newest
};

// An output of a task.
struct OutputPlace {
  std::string run;
  std::string task;
  std::string output;
};

}  // namespace mlpipe::metadata
