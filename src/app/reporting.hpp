#pragma once

#include <memory>

#include "app/options.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/engine/ports.hpp"
#include "mlpipe/plan/plan.hpp"
#include "mlpipe/report/output.hpp"

namespace mlpipe::app {

// The reporters of one run as the command line and the environment (terminal, NO_COLOR, CI) ask for them.
class Reporting final {
 public:
  Reporting(const RunCommand& command, const plan::Plan& plan, const artifact::Root& root, const std::string& run_id,
            const Clock& clock);

  engine::Reporter& reporter() { return *reporter_; }
  // One line about preparing images, before the run itself has begun.
  void preparing(std::string_view line);
  // Call when the run has ended, before the program says its last words.
  void finish();

 private:
  ProgressStyle style_;
  report::Output output_;
  const Clock& clock_;
  bool quiet_;
  std::unique_ptr<engine::Reporter> reporter_;
};

}  // namespace mlpipe::app
