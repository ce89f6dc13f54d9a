#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mlpipe/artifact/store.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/engine/ports.hpp"
#include "mlpipe/metadata/results.hpp"
#include "mlpipe/runner/run_context.hpp"

namespace mlpipe::runner {

// Hits, by their tasks.
using GivenResults = std::map<engine::TaskId, engine::CacheAnswer>;

// What the command line says of the cache.
struct CachePolicy {
  std::string off_because;  // why no task may use a result of another run; empty: it may
  std::string parent;       // but those of this run count for every task; empty: there is none
  std::vector<bool> again;  // by task: to run whatever is known; empty: none of them
  GivenResults given = {};  // tasks that do not run, and what stands for their results; whatever else is said
};

// CacheAnswer::why when no result has the fingerprint.
inline constexpr std::string_view k_no_result_yet = "no run has made this result yet";

// The results of earlier runs on one root, as the record knows and the tree holds them. Who makes a result holds a lock
// with the name of its fingerprint below the root, so that of several runs and tasks that need the same one makes it.
class RunCache : public engine::ResultCache {
 public:
  // Why the task runs whatever it is given: it, or the command line, says so. Empty: it may be found.
  virtual std::string runs_anyway(engine::TaskId task) const = 0;
  // Where ResultSettled goes, from a thread of its own; before the run begins. Null: nowhere.
  virtual void post_to(std::function<void(engine::Event)> post) = 0;
};

// Borrows everything, for as long as the cache lives. `run.images` are those of the run.
std::unique_ptr<RunCache> make_run_cache(const plan::Plan& plan, const RunContext& run, metadata::ResultSearch& results,
                                         artifact::ArtifactStore& store, const Clock& clock, CachePolicy policy);

}  // namespace mlpipe::runner
