#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/engine/state.hpp"
#include "mlpipe/engine/values.hpp"
#include "mlpipe/metadata/results.hpp"

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
  std::string root;  // pipeline root, absolute
  std::string spec_digest;
  std::string spec_file;
  std::string command_line;  // as it was started, secrets are never part of it
  std::string mlpipe_version;
  std::string engine;  // "docker 20.10.24", ...
  std::string host;
  std::string git_commit;  // of the pipeline's folder; empty when it is in none
  bool git_dirty = false;
  std::map<std::string, std::string> labels;
  std::size_t cached = 0;           // of those that succeeded: by an earlier run's result
  std::string parent;               // id of the run this one goes on from; empty: none
  Value options = Value::Struct{};  // how it was started (app/run_options.hpp)
  std::string experiment;
  std::string note;
};

struct AttemptRow {
  int number = 0;
  std::string container;  // its deterministic name
  std::string state;      // running state or the end: "running", "succeeded", "user_exit", ...
  int exit_code = 0;
  bool oom_killed = false;
  std::string message;
  std::string hint;
  std::optional<WallTime> started;  // handed to the runner
  std::optional<WallTime> running;  // its container ran
  std::optional<WallTime> finished;
  std::string fingerprint;   // empty: of an importer, or recorded by an older version
  std::string why;           // why it ran although there is a cache
  std::string stop_reason;   // "timed_out" or "cancelled" once it was asked to end
  std::uint64_t memory = 0;  // bytes it may have; 0: no limit
};

struct TaskRow {
  std::string path;
  engine::TaskState state = engine::TaskState::waiting;
  std::string component;
  std::string image;     // as written
  std::string image_id;  // as resolved
  std::string image_digest;
  std::string reason;                 // why skipped, cancelled or failed
  std::vector<AttemptRow> attempts;   // of a cached task none
  std::string cached_from;            // the run whose result stands for its own; empty: it has its own
  std::optional<WallTime> cached_at;  // of a cached task: when it was found
  std::optional<WallTime> made;       // and when an attempt made it, however often it was reused since
  std::string fingerprint;            // of its latest attempt, or of the cached result
  bool removed = false;               // its artifacts' payload was taken away (keep: false, gc)
  engine::TaskData inputs;
  engine::TaskData outputs;
};

// One transition, of a task or (task empty) of the run.
struct EventRow {
  std::int64_t number = 0;  // 1, 2, ... in the order they happened
  WallTime at{};
  std::string task;  // path
  int attempt = 0;
  std::string from;
  std::string to;
  std::string reason;
  std::optional<std::chrono::milliseconds> retry_in;
};

// What a task gave when it last succeeded, or was cached.
struct NewestResult {
  std::string run;
  std::string fingerprint;    // empty: of an importer, or recorded by an older version
  std::string import_digest;  // of an importer: the digest of what it found
};

// What a run that succeeded rests on, as RunRecord::keep_premises() was told.
struct Premises {
  std::string run_id;
  std::string text;
};

// Which attempts of an earlier run count: those with a fingerprint, or all.
enum class Comparable { with_fingerprint, any };

struct Making;
struct MakingQuery;
struct OutputPlace;
struct RunSelection;
struct SelectedRun;

// Reads the record of one pipeline root; works beside a running mlpipe (WAL). One thread at a time.
class Queries : public ResultSearch {
 public:
  // Newest first. `limit` 0: all.
  virtual Result<std::vector<RunRow>> runs(std::size_t limit) = 0;
  // Those that are wanted, in the order that is wanted (run_selection.hpp).
  virtual Result<std::vector<SelectedRun>> select_runs(const RunSelection& selection) = 0;
  // An exact id, a unique prefix, or "latest". not_found (with near names), conflict when a prefix fits several (lists them).
  virtual Result<RunRow> find_run(const std::string& reference) = 0;
  // The tasks of the run with that exact id, in the order of its plan. `inputs` are those of the latest attempt.
  virtual Result<std::vector<TaskRow>> tasks(const std::string& run_id) = 0;
  // The artifacts that the tasks of the run with that exact id made, importers apart, and nobody took away, in no order.
  virtual Result<std::vector<engine::Artifact>> kept_outputs(const std::string& run_id) = 0;
  // Of the newest run that succeeded of those that were `asked` for alike; nothing when there is none.
  virtual Result<std::optional<Premises>> premises(const std::string& asked) = 0;
  // What happened to the run with that exact id after event `after`, in order; of one task when `task` is not empty.
  virtual Result<std::vector<EventRow>> events(const std::string& run_id, const std::string& task,
                                               std::int64_t after) = 0;

  // Lineage (lineage.hpp). The attempts that took or gave an artifact; only the latest of each task counts.
  virtual Result<std::vector<Making>> makings(const MakingQuery& query) = 0;
  // The latest attempt of a task of the run with that exact id; nothing when there was none.
  virtual Result<std::optional<Making>> making_of(const std::string& run_id, const std::string& task) = 0;
  // Recorded digests that begin so, at most `limit`.
  virtual Result<std::vector<std::string>> digests(const std::string& prefix, std::size_t limit) = 0;
  // The outputs with that URI, those of cached tasks last, the newest first. Reads the whole table.
  virtual Result<std::vector<OutputPlace>> outputs_at(const std::string& uri) = 0;

  // What a fingerprint was made of (plan/fingerprint.hpp); nothing when the record does not know it.
  virtual Result<std::optional<std::string>> fingerprint_text(const std::string& fingerprint) = 0;
  // What the image that was built from the folder `reference` for the run with that exact id is made of
  // (runner::build_changes()); nothing when the record does not know it.
  virtual Result<std::optional<std::string>> made_of(const std::string& run_id, const std::string& reference) = 0;
  // What `task` of the run with that exact id is best compared with: its newest attempt, or result from the cache, in an
  // earlier run of the same pipeline. One that succeeded comes before one that did not.
  virtual Result<std::optional<Making>> earlier_making(const std::string& run_id, const std::string& task,
                                                       Comparable comparable) = 0;
  // How long each task of the pipeline took lately: the median of its last `most` attempts that succeeded, from start to
  // end. Looks at a hundred runs at most, fewer when they tell nothing new; tasks of which it finds nothing are left out.
  virtual Result<std::map<std::string, std::chrono::milliseconds>> usual_durations(const std::string& pipeline,
                                                                                   std::size_t most) = 0;
  // The newest result of each task of the pipeline that a new one can be compared with, by its path; of a task that never
  // succeeded that of an attempt which did not. Looks at as many runs as usual_durations() does.
  virtual Result<std::map<std::string, NewestResult>> newest_results(const std::string& pipeline) = 0;
};

// Tells whether a process holds the lock of a run.
using IsRunning = std::function<bool(const std::string& run_id)>;

// Opens `database` for reading, also beside a writer and on a read-only disk. not_found when there is none: no run was ever
// started on that root. `is_running` is asked about runs whose state says running. A record of an older mlpipe is migrated
// first, as open_record() does; where it cannot be written: conflict.
Result<std::unique_ptr<Queries>> open_queries(const std::filesystem::path& database, IsRunning is_running);

// The same, leaving nothing behind in the record's folder and writing nothing there but SQLite's shared memory. A record of
// an older mlpipe is not brought up to date (unavailable).
Result<std::unique_ptr<Queries>> open_queries_without_trace(const std::filesystem::path& database,
                                                            IsRunning is_running);

}  // namespace mlpipe::metadata
