// What a run costs in which every task's result is there already. tests/bench/cache.py calls it, one process a part:
//
//   cached_run_bench make FOLDER SHAPE TASKS IMAGE_ID   first run: every task makes a small file (no containers)
//   cached_run_bench time FOLDER RUN                    another run, all of it cached
//   cached_run_bench parts FOLDER RUN                   the same, with each task's steps timed, which costs time itself
//   cached_run_bench bare FOLDER RUN                    the tree's own system calls of such a run, and nothing else
//   cached_run_bench history FOLDER RUNS TASKS          a record of many runs, without a tree
//
// FOLDER gets pipeline.yaml, step.yaml and the pipeline root. Engine, cache, store and record are the real ones, put
// together as `mlpipe run` does. Standard output: one line of JSON, in seconds: by the clock, and of the processor.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlpipe/artifact/store.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/base/sha256.hpp"
#include "mlpipe/engine/run.hpp"
#include "mlpipe/metadata/file_digests.hpp"
#include "mlpipe/metadata/record.hpp"
#include "mlpipe/plan/plan.hpp"
#include "mlpipe/runner/result_cache.hpp"
#include "mlpipe/spec/reader.hpp"
#include "mlpipe/sys/fd.hpp"
#include "mlpipe/sys/file.hpp"
#include "mlpipe/sys/signals.hpp"

namespace {

using namespace mlpipe;
namespace fs = std::filesystem;

constexpr std::string_view k_image = "mlpipe/base:bookworm";
constexpr unsigned k_layer = 100;  // tasks in a layer of the layered shape
constexpr int k_jobs = 256;        // of the first run: a lock is held for each

[[noreturn]] void give_up(std::string_view why) {
  fmt::print(stderr, "cached_run_bench: {}\n", why);
  std::exit(3);
}

template <class T>
T must(Result<T> result) {
  if (!result) give_up(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// ---- Pipelines --------------------------------------------------------------------------------------------------

constexpr std::string_view k_step = R"(name: Step
inputs:
- {name: number, type: Integer}
- {name: first, type: Dataset, optional: true}
- {name: second, type: Dataset, optional: true}
outputs:
- {name: made, type: Dataset}
implementation:
  container:
    image: mlpipe/base:bookworm
    command: [sh, -c, 'echo "$0" >"$1"', {inputValue: number}, {outputPath: made}]
)";

// chain: each task reads the one before. wide: none reads another. layered: layers of k_layer tasks, each task reads
// two of the layer above, drawn at random. passing: a chain of which only the end keeps what it made.
std::string pipeline_text(std::string_view shape, unsigned tasks) {
  std::mt19937 random(1);
  std::string text = shape == "passing" ? "name: cached\ndefaults: {keep: false}\ntasks:\n" : "name: cached\ntasks:\n";
  const auto made_by = [](unsigned task) { return fmt::format("'${{{{ tasks.t{}.outputs.made }}}}'", task); };
  for (unsigned task = 0; task < tasks; ++task) {
    text += fmt::format("  t{}: {{component: step.yaml, arguments: {{number: {}", task, task);
    const unsigned layer = task / k_layer * k_layer;
    if ((shape == "chain" || shape == "passing") && task > 0) text += ", first: " + made_by(task - 1);
    if (shape == "layered" && layer > 0) {
      for (const char* input : {"first", "second"}) {
        text += fmt::format(", {}: {}", input, made_by(layer - k_layer + static_cast<unsigned>(random() % k_layer)));
      }
    }
    text += "}}\n";
  }
  return text;
}

void write(const fs::path& file, std::string_view text) { std::ofstream(file, std::ios::binary) << text; }

// ---- Clocks -----------------------------------------------------------------------------------------------------

struct Spent {
  double clock = 0, processor = 0;
  Spent& operator+=(const Spent& other) {
    clock += other.clock;
    processor += other.processor;
    return *this;
  }
  Spent operator-(const Spent& other) const { return {clock - other.clock, processor - other.processor}; }
};

double seconds_of(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Parts are measured on one thread: of the whole, processor time counts all of them.
Spent since_start() { return {seconds_of(CLOCK_MONOTONIC), seconds_of(CLOCK_PROCESS_CPUTIME_ID)}; }

// What is done once for each task is measured only when asked for: reading the clocks takes as long as some of it.
enum class Detail { whole, each_task };

class Parts final {
 public:
  explicit Parts(Detail detail = Detail::whole) : detail_(detail) {}
  template <class Body>
  auto time_each(const std::string& part, Body&& body) {
    if (detail_ == Detail::whole) return body();
    return time(part, body);
  }
  template <class Body>
  auto time(const std::string& part, Body&& body) {
    struct Stop {
      Spent& spent;
      Spent begin = since_start();
      ~Stop() { spent += since_start() - begin; }
    } stop{spent_[part]};
    return body();
  }
  void take_from(const std::string& whole, std::initializer_list<const char*> parts) {
    for (const char* part : parts) {
      if (!spent_.contains(part)) continue;
      spent_[whole].clock -= spent_[part].clock;
      spent_[whole].processor -= spent_[part].processor;
    }
  }
  std::string json() const {
    std::string text;
    for (const auto& [part, spent] : spent_) {
      text += fmt::format("{}\"{}\":[{:.6f},{:.6f}]", text.empty() ? "{" : ",", part, spent.clock, spent.processor);
    }
    return text + "}";
  }

 private:
  Detail detail_;
  std::map<std::string, Spent> spent_;
};

// ---- The world of a run -----------------------------------------------------------------------------------------

// Measures what the real store does.
class TimedStore final : public artifact::ArtifactStore {
 public:
  TimedStore(artifact::ArtifactStore& inner, Parts& parts) : inner_(inner), parts_(parts) {}
  std::string uri_of(std::string_view task, std::string_view output, std::string_view file) const override {
    return inner_.uri_of(task, output, file);
  }
  Result<fs::path> fetch(const std::string& uri, const std::function<bool()>& stop) override {
    return inner_.fetch(uri, stop);
  }
  Result<> commit(const fs::path& staged, const std::string& uri, const std::function<bool()>& stop) override {
    return inner_.commit(staged, uri, stop);
  }
  Result<engine::Artifact> describe(const std::string& uri, const std::function<bool()>& stop) override {
    return inner_.describe(uri, stop);
  }
  Result<bool> restore(const engine::Artifact& stored, const std::string& uri,
                       const std::function<bool()>& stop) override {
    return parts_.time_each("restore", [&] { return inner_.restore(stored, uri, stop); });
  }
  Result<bool> is_whole(const engine::Artifact& stored, const std::function<bool()>& stop) override {
    return inner_.is_whole(stored, stop);
  }

 private:
  artifact::ArtifactStore& inner_;
  Parts& parts_;
};

class TimedSearch final : public metadata::ResultSearch {
 public:
  TimedSearch(metadata::ResultSearch& inner, Parts& parts) : inner_(inner), parts_(parts) {}
  Result<std::vector<metadata::StoredResult>> results(const std::string& fingerprint, std::size_t limit) override {
    return parts_.time_each("find", [&] { return inner_.results(fingerprint, limit); });
  }
  void look_afresh() override { inner_.look_afresh(); }

 private:
  metadata::ResultSearch& inner_;
  Parts& parts_;
};

// Commits, and how long each took: of every task, the sum of the commits that told of it, shared by their transitions.
class TimedRecord final : public engine::Record {
 public:
  TimedRecord(engine::Record& inner, Parts& parts, std::size_t tasks) : inner_(inner), parts_(parts), costs_(tasks) {}
  Result<> commit(std::span<const engine::Transition> transitions) override {
    const double begin = seconds_of(CLOCK_MONOTONIC);
    Result<> done = parts_.time("record", [&] { return inner_.commit(transitions); });
    const double each = (seconds_of(CLOCK_MONOTONIC) - begin) / static_cast<double>(transitions.size());
    for (const engine::Transition& transition : transitions) costs_[plan::index(transition.task)] += each;
    return done;
  }
  Result<> discard(engine::TaskId task) override { return inner_.discard(task); }
  Result<> finish(engine::RunState state, WallTime at) override {
    return parts_.time("record", [&] { return inner_.finish(state, at); });
  }
  double median_cost() {
    std::nth_element(costs_.begin(), costs_.begin() + static_cast<std::ptrdiff_t>(costs_.size() / 2), costs_.end());
    return costs_[costs_.size() / 2];
  }

 private:
  engine::Record& inner_;
  Parts& parts_;
  std::vector<double> costs_;
};

// Every attempt succeeds at once, its output in the tree as runner::run_attempt() leaves it, but not synced.
class WritingRunner final : public engine::TaskRunner {
 public:
  WritingRunner(const plan::Plan& plan, fs::path run_folder, sys::FileDigests& digests)
      : plan_(plan), run_folder_(std::move(run_folder)), digests_(digests) {}

  void start(engine::AttemptRequest request) override {
    events_.emplace_back(engine::AttemptRunning{request.id});
    events_.emplace_back(engine::AttemptFinished{request.id, make(request)});
  }
  void stop(engine::AttemptId, engine::StopReason, engine::StopMode) override {}
  std::vector<engine::Event> wait(std::optional<MonotonicTime>) override { return std::exchange(events_, {}); }

 private:
  engine::AttemptResult make(const engine::AttemptRequest& request) {
    const artifact::TaskTree tree(run_folder_, plan_.task(request.id.task).path());
    fs::create_directories(tree.attempt(1));
    fs::create_directories(tree.output("made"));
    const fs::path file = tree.output("made") / "data";
    const std::string text = to_json(request.inputs.parameters.at("number")) + "\n";
    write(file, text);
    ::chmod(file.c_str(), 0444);
    const std::string hex = sha256_hex(text);
    struct stat info {};
    if (::lstat(file.c_str(), &info) != 0) give_up("no output");
    digests_.remember(sys::identity_of(info), hex);
    engine::AttemptResult result;
    engine::Artifact made{.name = "made", .type = "system.Dataset", .uri = file.string(), .digest = "sha256:" + hex};
    made.bytes = text.size();
    result.outputs.artifacts.emplace("made", std::move(made));
    return result;
  }

  const plan::Plan& plan_;
  const fs::path run_folder_;
  sys::FileDigests& digests_;
  std::vector<engine::Event> events_;
};

class NullReporter final : public engine::Reporter {
 public:
  void run_started(const engine::Run&) override {}
  void transition(const engine::Run&, const engine::Transition&) override {}
  void progress(const engine::Run&, const engine::Progress&) override {}
  void notice(const engine::Run&, std::string_view) override {}
  std::optional<MonotonicTime> next_refresh() const override { return std::nullopt; }
  void refresh(const engine::Run&, MonotonicTime) override {}
  void run_finished(const engine::Run&) override {}
};

metadata::RunStart start_of(const std::string& id, const artifact::Root& root) {
  metadata::RunStart start;
  start.id = id;
  start.root = root.path().string();
  start.created = SystemClock().wall();
  return start;
}

// What a commit cannot do without: the median of appending a page to a file and having it on the disk.
double milliseconds_to_sync(const fs::path& folder) {
  const fs::path file = folder / "sync";
  const sys::Fd descriptor(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const std::array<char, 4096> page{};
  std::vector<double> times;
  for (int round = 0; round < 201; ++round) {
    const double begin = seconds_of(CLOCK_MONOTONIC);
    const bool written = ::write(descriptor.get(), page.data(), page.size()) > 0;
    if (!written || ::fdatasync(descriptor.get()) != 0) give_up("nothing can be written");
    times.push_back(seconds_of(CLOCK_MONOTONIC) - begin);
  }
  std::ranges::nth_element(times, times.begin() + 100);
  return times[100] * 1000;
}

// ---- Parts ------------------------------------------------------------------------------------------------------

enum class Expected { all_made, all_cached };

// One run of FOLDER/pipeline.yaml, as app/execution.cpp goes about it.
void run_once(const fs::path& folder, const std::string& id, const std::string& image, Expected expected,
              Detail detail) {
  Parts parts(detail);
  const Spent begin = since_start();
  const spec::ReadPipeline read =
      must(parts.time("read", [&] { return spec::read_pipeline(folder / "pipeline.yaml", {}); }));
  if (!read.spec) give_up(spec::render(read.diagnostics, read.sources));
  const plan::Plan plan = must(parts.time("plan", [&] { return plan::make_plan(*read.spec, {}); }));

  const artifact::Root root(folder / "root");
  runner::RunContext context{.run_id = id, .root = root.path(), .run_folder = root.run(id)};
  context.images.emplace(k_image, runner::Image{.id = image});
  fs::create_directories(context.run_folder);
  const SystemClock clock;
  auto record = must(parts.time("begin", [&] {
    auto opened = metadata::open_record(root.database());
    if (opened) must((*opened)->begin(start_of(id, root), plan));
    return opened;
  }));
  must(record->record_images({{.reference = std::string(k_image), .id = image, .digest = ""}}));
  auto digests = parts.time("begin", [&] { return metadata::open_file_digests(root.digests()); });
  context.digests = digests.get();
  auto store = artifact::make_local_store(context.run_folder, digests.get());
  TimedStore timed_store(*store, parts);
  TimedSearch search(*record, parts);
  TimedRecord timed_record(*record, parts, plan.size());
  auto cache = runner::make_run_cache(plan, context, search, timed_store, clock, {});
  cache->post_to([](engine::Event) {});
  engine::Run run(plan, {.run_id = id, .limits = {.max_parallel = k_jobs}}, cache.get());
  WritingRunner runner(plan, context.run_folder, *digests);
  NullReporter reporter;
  const engine::RunState state =
      must(parts.time("schedule", [&] { return engine::run_to_end(run, runner, timed_record, reporter, clock); }));
  if (state != engine::RunState::succeeded) give_up("the run did not succeed");
  if (run.cached() != (expected == Expected::all_cached ? plan.size() : 0)) {
    give_up(fmt::format("{} were cached", run.cached()));
  }
  parts.time("end", [&] {
    cache.reset();
    digests.reset();
    record.reset();
  });
  const Spent all = since_start() - begin;
  parts.take_from("schedule", {"find", "restore", "record"});
  fmt::print(
      "{{\"tasks\":{},\"all\":[{:.6f},{:.6f}],\"recording_ms_a_task\":{:.4f},\"sync_ms\":{:.4f},\"parts\":{}}}\n",
      plan.size(), all.clock, all.processor, timed_record.median_cost() * 1000, milliseconds_to_sync(folder),
      parts.json());
}

// The folders and links of a cached run, each made with the one call that it takes. From files of its own: a new link
// changes a file's change time, and the run measured next would have to read the file again.
void make_bare(const fs::path& folder, const std::string& id) {
  const fs::path runs = folder / "bare";
  const fs::path first = runs / "first";
  std::vector<std::array<std::string, 3>> tasks;
  for (unsigned task = 0; fs::exists(folder / "root" / "runs" / "first" / fmt::format("t{}", task)); ++task) {
    tasks.push_back({fmt::format("t{}", task), fmt::format("t{}/made", task), fmt::format("t{}/made/data", task)});
  }
  if (!fs::exists(first)) {
    for (const auto& [task, output, file] : tasks) {
      fs::create_directories(first / output);
      write(first / file, task);
    }
    must(sys::sync_file_system(first));
  }
  fs::create_directories(runs / id);
  const sys::Fd from(::open(first.c_str(), O_RDONLY | O_DIRECTORY));
  const sys::Fd to(::open((runs / id).c_str(), O_RDONLY | O_DIRECTORY));
  Parts parts;
  const Spent begin = since_start();
  for (const auto& [task, output, file] : tasks) {
    if (::mkdirat(to.get(), task.c_str(), 0755) != 0 || ::mkdirat(to.get(), output.c_str(), 0755) != 0 ||
        ::linkat(from.get(), file.c_str(), to.get(), file.c_str(), 0) != 0) {
      give_up(fmt::format("{}: {}", file, std::generic_category().message(errno)));
    }
  }
  const Spent all = since_start() - begin;
  parts.time("sync", [&] { return ::syncfs(to.get()); });
  fmt::print("{{\"tasks\":{},\"all\":[{:.6f},{:.6f}],\"parts\":{}}}\n", tasks.size(), all.clock, all.processor,
             parts.json());
}

unsigned number_of(std::string_view text) {
  unsigned number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return std::max(number, 1U);
}

// Many finished runs of the pipeline in FOLDER, each task recorded as started and succeeded.
void make_history(const fs::path& folder, unsigned runs, unsigned tasks) {
  fs::create_directories(folder);
  write(folder / "step.yaml", k_step);
  write(folder / "pipeline.yaml", pipeline_text("chain", tasks));
  const spec::ReadPipeline read = must(spec::read_pipeline(folder / "pipeline.yaml", {}));
  const plan::Plan plan = must(plan::make_plan(*read.spec, {}));
  const artifact::Root root(folder / "root");
  auto record = must(metadata::open_record(root.database()));
  const engine::TaskData nothing;
  const engine::AttemptResult result;
  for (unsigned number = 0; number < runs; ++number) {
    metadata::RunStart start = start_of(fmt::format("run-{:05}", number), root);
    must(record->begin(start, plan));
    using engine::TaskState;
    std::vector<engine::Transition> steps;
    for (plan::TaskId task : plan.order()) {
      engine::Transition step{.task = task, .attempt = 1, .to = TaskState::starting, .at = start.created};
      step.inputs = &nothing;
      steps.push_back(step);
      step.from = std::exchange(step.to, TaskState::succeeded);
      step.inputs = nullptr;
      step.result = &result;
      step.outputs = &result.outputs;
      steps.push_back(step);
    }
    must(record->commit(steps));
    must(record->finish(engine::RunState::succeeded, start.created));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const std::string part = words.empty() ? "" : words[0];
  if (Result<std::uint64_t> files = sys::raise_open_file_limit(); !files) give_up(files.error().message);
  if (part == "make" && words.size() == 5) {
    const fs::path folder = fs::absolute(words[1]);
    fs::create_directories(folder);
    write(folder / "step.yaml", k_step);
    write(folder / "pipeline.yaml", pipeline_text(words[2], number_of(words[3])));
    write(folder / "image", words[4]);
    run_once(folder, "first", words[4], Expected::all_made, Detail::whole);
  } else if ((part == "time" || part == "parts") && words.size() == 3) {
    const fs::path folder = fs::absolute(words[1]);
    run_once(folder, words[2], must(sys::read_file(folder / "image")), Expected::all_cached,
             part == "parts" ? Detail::each_task : Detail::whole);
  } else if (part == "bare" && words.size() == 3) {
    make_bare(fs::absolute(words[1]), words[2]);
  } else if (part == "history" && words.size() == 4) {
    make_history(fs::absolute(words[1]), number_of(words[2]), number_of(words[3]));
  } else {
    fmt::print(stderr,
               "usage: cached_run_bench make FOLDER SHAPE TASKS IMAGE_ID | time|parts|bare FOLDER RUN |"
               " history FOLDER RUNS TASKS\n");
    return 2;
  }
}
