#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/execution.hpp"
#include "mlpipe/engine/estimate.hpp"
#include "mlpipe/engine/foresight.hpp"
#include "mlpipe/metadata/queries.hpp"

namespace mlpipe::app {

// A run that is only thought of. Borrows what it refers to.
struct RunInMind {
  const RunCommand& command;
  const Prepared& prepared;
  const Clock& clock;
  const sys::StopSignal& stop;
  std::string run_id;
  // Of an interrupted run that would go on: what it left, and the images it began with, by RunContext::images' key.
  std::vector<engine::Recovered> recovered = {};
  std::map<std::string, runner::Image> images = {};
  runner::GivenResults given = {};  // CachePolicy::given
};

// What is foreseen of one task.
struct TaskForecast {
  engine::Foresight foresight;
  // of one that may run: what it usually takes from now on; nothing: never seen
  std::optional<std::chrono::milliseconds> takes;
  std::vector<std::string> changes;  // since the newest result of the task: why that cannot be used
  std::string compared_with;         // the run that has it
  bool critical = false;             // on the critical path
};

struct Forecast {
  std::vector<TaskForecast> tasks;  // by TaskId
  std::vector<std::string> notes;   // what could not be looked at, a line each
  std::vector<plan::TaskId> critical_path;
  std::chrono::milliseconds most{0};   // when all that depends on others runs
  std::chrono::milliseconds least{0};  // when all of it is found in the cache
  std::size_t never_seen = 0;  // tasks that may run and of which nobody knows how long: counted as taking no time

  std::size_t count(engine::Outlook outlook) const;
};

// Looks at the record, the tree and the engine as they are now, and writes nothing: not even what it learns of files.
// Errors: the record cannot be read; cancelled when `stop` was requested.
Result<Forecast> forecast(const RunInMind& run);

}  // namespace mlpipe::app
