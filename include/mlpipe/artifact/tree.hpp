#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "mlpipe/base/result.hpp"

// The tree on disk (docs/design.md, "The tree on disk"): only this module knows its paths.
namespace mlpipe::artifact {

namespace fs = std::filesystem;

// A run id, task name or output name that is one safe path component: letters, digits, "._-", not starting with a dot,
// at most 100 bytes. The Error says which rule it breaks.
Result<> check_name(std::string_view what, std::string_view name);

// Paths of one pipeline root. Absolute, lexically normal.
class Root final {
 public:
  explicit Root(fs::path path) : path_(std::move(path)) {}
  const fs::path& path() const { return path_; }
  fs::path state() const { return path_ / ".mlpipe"; }  // record and locks
  fs::path database() const { return state() / "metadata.db"; }
  fs::path digests() const { return state() / "digests.db"; }
  fs::path run_lock(std::string_view run_id) const { return state() / "locks" / (std::string(run_id) + ".lock"); }
  fs::path runs() const { return path_ / "runs"; }
  fs::path run(std::string_view run_id) const { return runs() / run_id; }
  fs::path latest() const { return path_ / "latest"; }

 private:
  fs::path path_;
};

// Paths of one task of a run: <root>/runs/<run-id>/<task>/...
class TaskTree final {
 public:
  TaskTree(const fs::path& run, std::string_view task_path) : path_(run / task_path) {}
  const fs::path& path() const { return path_; }
  fs::path output(std::string_view name) const { return path_ / name; }  // committed
  fs::path internal() const { return path_ / ".mlpipe"; }
  // everything of one attempt
  fs::path attempt(int number) const { return internal() / "attempts" / std::to_string(number); }
  fs::path log(int number) const { return attempt(number) / "log"; }  // raw bytes; log.index beside it
  // What the container sees as path(): outputs are written here and renamed to output(name) when the attempt succeeded.
  fs::path work(int number) const { return attempt(number) / "work"; }
  // Below work(): where a parameter's value is written, and KFP's executor output.
  static fs::path parameter_file(const fs::path& work, std::string_view name) {
    return work / ".mlpipe" / "parameters" / name;
  }
  static fs::path executor_output(const fs::path& work) { return work / ".mlpipe" / "executor_output.json"; }

 private:
  fs::path path_;
};

}  // namespace mlpipe::artifact
