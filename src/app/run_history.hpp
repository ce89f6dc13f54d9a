#pragma once

#include <map>
#include <string>
#include <vector>

#include "mlpipe/metadata/queries.hpp"

namespace mlpipe::app {

// The attempts of a run as its events tell of them; read() goes on from where it was, so that a run can be followed.
class RunHistory final {
 public:
  struct Attempt {
    std::string task;
    int number = 1;
    bool ended = false;
  };

  // Of all tasks when `task` is empty. Borrows the queries.
  RunHistory(metadata::Queries& queries, metadata::RunRow run, std::string task)
      : queries_(queries), run_(std::move(run)), task_(std::move(task)) {}

  Result<> read();

  // In the order they were started.
  const std::vector<Attempt>& attempts() const { return attempts_; }
  // The last known attempt of a task; 0: none.
  int latest_attempt(const std::string& task) const;
  // Nothing more will come: the task, or the run, has ended or is interrupted.
  bool ended() const { return task_ended_ || run_.state != engine::RunState::running || run_.interrupted; }
  const metadata::RunRow& run() const { return run_; }

 private:
  void apply(const metadata::EventRow& event);

  metadata::Queries& queries_;
  metadata::RunRow run_;
  std::string task_;
  std::int64_t last_event_ = 0;
  bool task_ended_ = false;
  std::vector<Attempt> attempts_;
  std::map<std::string, std::size_t, std::less<>> latest_;  // index in attempts_
};

}  // namespace mlpipe::app
