#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "mlpipe/runner/container_engine.hpp"
#include "mlpipe/runner/run_context.hpp"

namespace mlpipe::runner {

// Idle containers that each hold a ready network namespace. Making one is half of what a container's start costs, so they
// are made ahead on a thread of their own; a task joins one (`container:<id>`) and has it alone, so that parallel tasks
// never share ports. When none is ready a task simply gets a network of its own.
class SandboxPool final {
 public:
  SandboxPool(ContainerEngine& engine, const RunContext& run);
  // Removes every sandbox.
  ~SandboxPool();
  SandboxPool(const SandboxPool&) = delete;
  SandboxPool& operator=(const SandboxPool&) = delete;

  // How many of them would be of use: at most so many attempts with a bridge network are still to come. Makes what is missing.
  void want(std::size_t count);

  // A sandbox of one's own until it is given back; nothing when none is ready. Never blocks for long.
  std::optional<std::string> take();
  enum class Condition { good, broken };
  void give_back(std::string id, Condition condition);

 private:
  void make_wanted();
  Result<std::string> make_one(int number);

  ContainerEngine& engine_;
  const RunContext& run_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> free_;
  std::vector<std::string> all_;
  std::size_t wanted_ = 0;
  bool stopping_ = false;
  bool broken_ = false;  // one could not be made: no more are tried
  std::thread maker_;
};

}  // namespace mlpipe::runner
