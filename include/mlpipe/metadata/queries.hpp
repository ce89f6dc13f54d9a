#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/engine/state.hpp"
#include "mlpipe/engine/values.hpp"

namespace mlpipe::metadata {

struct RunRow {
  std::string id;
  std::string pipeline;
  engine::RunState state = engine::RunState::running;
  bool interrupted = false;  // its state says running, but no process holds its lock
  WallTime created{};
  std::optional<WallTime> finished;
  std::size_t tasks = 0;
  engine::StateCounts counts{};
  Value arguments = Value::Struct{};
  std::string root;            // pipeline root, absolute
  std::string spec_digest;
  std::string command_line;    // as it was started, secrets are never part of it
};

struct AttemptRow {
  int number = 0;
  std::string container;  // its deterministic name
  std::string state;      // running state or the end: "running", "succeeded", "user_exit", ...
  int exit_code = 0;
  std::string message;
  std::string hint;
  std::optional<WallTime> started;   // handed to the runner
  std::optional<WallTime> running;   // its container ran
  std::optional<WallTime> finished;
};

struct TaskRow {
  std::string path;
  engine::TaskState state = engine::TaskState::waiting;
  std::string component;
  std::string image;         // as written
  std::string image_id;      // as resolved
  std::string image_digest;
  std::string reason;        // why skipped, cancelled or failed
  std::vector<AttemptRow> attempts;
  engine::TaskData inputs;
  engine::TaskData outputs;
};

// Reads the record of one pipeline root; works beside a running mlpipe (WAL). One thread at a time.
class Queries {
 public:
  virtual ~Queries() = default;
  // Newest first. `limit` 0: all.
  virtual Result<std::vector<RunRow>> runs(std::size_t limit) = 0;
  // An exact id, a unique prefix, or "latest". not_found (with near names), conflict when a prefix fits several (lists them).
  virtual Result<RunRow> find_run(const std::string& reference) = 0;
  virtual Result<std::vector<TaskRow>> tasks(const std::string& run_id) = 0;
};

// Opens `database` for reading. not_found when there is none: no run was ever started on that root.
Result<std::unique_ptr<Queries>> open_queries(const std::filesystem::path& database);

}  // namespace mlpipe::metadata
