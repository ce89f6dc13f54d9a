#pragma once

#include <memory>
#include <string>

#include "mlpipe/base/debug_log.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/engine/ports.hpp"

namespace mlpipe::app {

// Appends to the file `path`, each line as it is written, so that it is whole up to where mlpipe was killed. Empty: null. The
// first line is `command_line`.
Result<std::unique_ptr<DebugLog>> open_debug_log(const std::string& path, const std::string& command_line);

// Tells of every change that `record` was given, and how long it took to record them. Borrows both.
class DebuggedRecord final : public engine::Record {
 public:
  DebuggedRecord(engine::Record& record, const plan::Plan& plan, DebugLog& log)
      : record_(record), plan_(plan), log_(log) {}
  Result<> commit(std::span<const engine::Transition> transitions) override;
  Result<> discard(engine::TaskId task) override;
  Result<> finish(engine::RunState state, WallTime at) override;

 private:
  engine::Record& record_;
  const plan::Plan& plan_;
  DebugLog& log_;
};

}  // namespace mlpipe::app
