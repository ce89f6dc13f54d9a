#pragma once

#include <vector>

#include "app/execution.hpp"
#include "mlpipe/metadata/queries.hpp"
#include "mlpipe/runner/container_engine.hpp"

namespace mlpipe::app {

// The states a run's tasks are to be taken up in, as its record tells. invalid_input when `plan` is not the run's.
Result<std::vector<engine::Recovered>> recovered_tasks(const plan::Plan& plan,
                                                       const std::vector<metadata::TaskRow>& rows);

// Whatever containers the run has, when no attempt of it is under way: also one that an engine made late for an mlpipe which
// was killed meanwhile. What cannot be removed stays for gc, which knows it by its labels.
void remove_rest_of_run(runner::ContainerEngine& engine, const artifact::Root& root, const std::string& run_id);

// The containers that an mlpipe which ended too early left of the run.
class LeftContainers final {
 public:
  // Those of the run at `root`; the caller holds the run's lock, so nobody else makes any.
  static Result<LeftContainers> find(runner::ContainerEngine& engine, const artifact::Root& root,
                                     const std::string& run_id);

  // Removes those that belong to no attempt which is taken up. Sandboxes stay: a container may live in the network of one.
  Result<> remove_strays(const std::vector<engine::Recovered>& tasks, const plan::Plan& plan,
                         const artifact::Root& root, const std::string& run_id);
  // All of them, when no attempt goes on. One that cannot be removed hinders no other; the first error.
  Result<> remove_all();
  // Which GPUs they hold, by name.
  std::map<std::string, std::vector<std::string>> gpus_held() const;
  std::size_t size() const { return containers_.size(); }

 private:
  explicit LeftContainers(runner::ContainerEngine& engine, std::vector<runner::ContainerSummary> containers)
      : engine_(&engine), containers_(std::move(containers)) {}

  runner::ContainerEngine* engine_;
  std::vector<runner::ContainerSummary> containers_;
};

}  // namespace mlpipe::app
