// What the orchestrator itself costs: reads, plans and schedules pipelines of many tasks on a runner and a record
// that do nothing.
//
//   null_runner_bench [--check] [--shapes chain,wide,layered,data] [--sizes 1000,10000,100000,1000000]
//
// One child process a case, so that memory is the case's own. Standard output: a line of JSON a case; standard error:
// a table. Seconds are processor time: the work is one thread without I/O, so on an idle machine that is the time it
// takes, and on a busy one the figures stay comparable. --check: the bars of docs/design.md, section "Speed"; exit
// code 1 when one is missed.

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlpipe/base/text.hpp"
#include "mlpipe/engine/run.hpp"
#include "mlpipe/plan/plan.hpp"
#include "mlpipe/spec/reader.hpp"

namespace {

using namespace mlpipe;

constexpr unsigned k_layer = 100;               // tasks in a layer of the layered shape
constexpr unsigned k_most_with_data = 300'000;  // more is a larger file than the reader takes
constexpr int k_jobs = 64;

// ---- Pipelines --------------------------------------------------------------------------------------------------

enum class Shape { chain, wide, layered, data };
constexpr std::array<std::pair<std::string_view, Shape>, 4> k_shapes{
    {{"chain", Shape::chain}, {"wide", Shape::wide}, {"layered", Shape::layered}, {"data", Shape::data}}};

// chain: each task after the one before. wide: no order. layered: layers of k_layer tasks, each task after two of the
// layer above, drawn at random. data: the same, but each task reads an output of these two.
std::string pipeline_text(Shape shape, unsigned size) {
  std::mt19937 random(1);
  std::string text = "name: bench\ntasks:\n";
  for (unsigned task = 0; task < size; ++task) {
    text += fmt::format("  t{}: {{image: busybox", task);
    const unsigned layer = task / k_layer * k_layer;
    auto above = [&] { return layer - k_layer + static_cast<unsigned>(random() % k_layer); };
    if (shape == Shape::data) text += ", outputs: {n: Integer}";
    if (shape == Shape::chain && task > 0) {
      text += fmt::format(", after: [t{}]", task - 1);
    } else if (shape == Shape::layered && layer > 0) {
      text += fmt::format(", after: [t{}, t{}]", above(), above());
    } else if (shape == Shape::data && layer > 0) {
      text += fmt::format(
          ", inputs: {{a: Integer, b: Integer}}, arguments: {{a: '${{{{ tasks.t{}.outputs.n }}}}', b: '${{{{ "
          "tasks.t{}.outputs.n "
          "}}}}'}}",
          above(), above());
    }
    text += "}\n";
  }
  return text;
}

// ---- A world that does nothing ----------------------------------------------------------------------------------

// Every attempt runs and succeeds at once, and gives 1 for each output parameter.
class NullRunner final : public engine::TaskRunner {
 public:
  explicit NullRunner(const plan::Plan& plan) : plan_(plan) {}

  void start(engine::AttemptRequest request) override {
    engine::AttemptResult result;
    for (const spec::ParameterSpec& output : plan_.component(request.id.task).interface.output_parameters) {
      result.outputs.parameters.emplace(output.name, 1);
    }
    events_.emplace_back(engine::AttemptRunning{request.id});
    events_.emplace_back(engine::AttemptFinished{request.id, std::move(result)});
  }
  void stop(engine::AttemptId, engine::StopReason, engine::StopMode) override {}
  std::vector<engine::Event> wait(std::optional<MonotonicTime>) override { return std::exchange(events_, {}); }

 private:
  const plan::Plan& plan_;
  std::vector<engine::Event> events_;
};

class NullRecord final : public engine::Record {
 public:
  Result<> commit(std::span<const engine::Transition>) override { return {}; }
  Result<> discard(engine::TaskId) override { return {}; }
  Result<> finish(engine::RunState, WallTime) override { return {}; }
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

// ---- One case ---------------------------------------------------------------------------------------------------

struct Figures {
  double read_seconds = 0, plan_seconds = 0, schedule_seconds = 0;
  // Bytes in memory, over those before: after each part, and the most there ever were.
  double read_bytes = 0, plan_bytes = 0, schedule_bytes = 0, peak_bytes = 0;
  double text_bytes = 0;
  double seconds() const { return read_seconds + plan_seconds + schedule_seconds; }
};

double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double bytes_in_memory() {
  std::ifstream file("/proc/self/statm");
  double total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double most_bytes_in_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024;
}

[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "null_runner_bench: {}\n", why);
  std::_Exit(3);
}

Figures measure(Shape shape, unsigned size) {
  Figures figures;
  const double before = bytes_in_memory();
  std::string text = pipeline_text(shape, size);
  figures.text_bytes = static_cast<double>(text.size());

  double start = processor_seconds();
  const spec::ReadPipeline read = spec::read_pipeline_text(std::move(text), "pipeline.yaml", ".", {});
  figures.read_seconds = processor_seconds() - start;
  figures.read_bytes = bytes_in_memory() - before;
  if (!read.spec) give_up("reading: " + spec::render(read.diagnostics, read.sources));

  start = processor_seconds();
  const Result<plan::Plan> plan = plan::make_plan(*read.spec, {});
  figures.plan_seconds = processor_seconds() - start;
  figures.plan_bytes = bytes_in_memory() - before;
  if (!plan) give_up("planning: " + plan.error().message);

  start = processor_seconds();
  engine::Run run(*plan, {.run_id = "bench", .limits = {.max_parallel = k_jobs}});
  NullRunner runner(*plan);
  NullRecord record;
  NullReporter reporter;
  const SystemClock clock;
  const Result<engine::RunState> end = engine::run_to_end(run, runner, record, reporter, clock);
  figures.schedule_seconds = processor_seconds() - start;
  figures.schedule_bytes = bytes_in_memory() - before;
  figures.peak_bytes = most_bytes_in_memory() - before;
  if (!end || *end != engine::RunState::succeeded) give_up("the run did not succeed");
  return figures;
}

Figures measure_in_child(Shape shape, unsigned size) {
  int ends[2];
  if (pipe(ends) != 0) give_up("no pipe");
  const pid_t child = fork();
  if (child == 0) {
    const Figures figures = measure(shape, size);
    const ssize_t written = write(ends[1], &figures, sizeof figures);
    std::_Exit(written == sizeof figures ? 0 : 3);  // without taking a million tasks apart
  }
  close(ends[1]);
  Figures figures;
  const ssize_t got = read(ends[0], &figures, sizeof figures);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (got != sizeof figures || status != 0) give_up(fmt::format("the case of {} tasks failed", size));
  return figures;
}

// The least of several measurements, for what else the machine does only adds; small cases are measured more often.
Figures best_of(Shape shape, unsigned size) {
  Figures best = measure_in_child(shape, size);
  for (int more = size <= 10'000 ? 4 : size <= 100'000 ? 2 : 0; more > 0; --more) {
    const Figures next = measure_in_child(shape, size);
    best.read_seconds = std::min(best.read_seconds, next.read_seconds);
    best.plan_seconds = std::min(best.plan_seconds, next.plan_seconds);
    best.schedule_seconds = std::min(best.schedule_seconds, next.schedule_seconds);
  }
  return best;
}

// ---- All cases --------------------------------------------------------------------------------------------------

struct Options {
  std::vector<std::string> shapes{"chain", "wide", "layered", "data"};
  std::vector<unsigned> sizes{1'000, 10'000, 100'000, 1'000'000};
  bool check = false;
};

Options options_of(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const std::string_view next = i + 1 < argc ? argv[i + 1] : "";
    if (word == "--check") {
      options.check = true;
    } else if (word == "--shapes") {
      options.shapes.clear();
      for (std::string_view shape : split(next, ',')) options.shapes.emplace_back(shape);
      ++i;
    } else if (word == "--sizes") {
      options.sizes.clear();
      for (std::string_view text : split(next, ',')) {
        unsigned size = 0;
        std::from_chars(text.data(), text.data() + text.size(), size);
        options.sizes.push_back(std::max(size, 1u));
      }
      ++i;
    } else {
      fmt::print(stderr,
                 "usage: null_runner_bench [--check] [--shapes chain,wide,layered,data] [--sizes 1000,10000]\n");
      std::exit(2);
    }
  }
  return options;
}

void print(std::string_view shape, unsigned size, const Figures& figures) {
  const auto tasks = static_cast<double>(size);
  fmt::print(
      "{{\"bench\":\"null_runner\",\"shape\":\"{}\",\"tasks\":{},\"read_s\":{:.6f},\"plan_s\":{:.6f},\"schedule_s\":{:."
      "6f},"
      "\"total_s\":{:.6f},\"text_bytes_per_task\":{:.0f},\"read_bytes_per_task\":{:.0f},\"plan_bytes_per_task\":{:.0f},"
      "\"schedule_bytes_per_task\":{:.0f},\"peak_bytes_per_task\":{:.0f}}}\n",
      shape, size, figures.read_seconds, figures.plan_seconds, figures.schedule_seconds, figures.seconds(),
      figures.text_bytes / tasks, figures.read_bytes / tasks, figures.plan_bytes / tasks,
      figures.schedule_bytes / tasks, figures.peak_bytes / tasks);
  std::fflush(stdout);
  fmt::print(stderr, "{:<8} {:>9} {:>9.4f} {:>9.4f} {:>10.4f} {:>9.4f} {:>9.0f} {:>9.0f} {:>9.0f} {:>9.0f} {:>9.0f}\n",
             shape, size, figures.read_seconds, figures.plan_seconds, figures.schedule_seconds, figures.seconds(),
             figures.text_bytes / tasks, figures.read_bytes / tasks, figures.plan_bytes / tasks,
             figures.schedule_bytes / tasks, figures.peak_bytes / tasks);
}

// The bars: 100,000 tasks under 2 s; under 1 KiB a task; time grows no faster than the number of tasks. Small cases
// fit the processor's caches and large ones do not, which is worth a factor by itself: "linear" means within 4 from
// end to end, where quadratic growth would be 100 and more.
bool meets_bars(std::string_view shape, const std::map<unsigned, Figures>& cases) {
  std::vector<std::string> missed;
  for (const auto& [size, figures] : cases) {
    if (size <= 100'000 && figures.seconds() >= 2)
      missed.push_back(fmt::format("{} tasks took {:.2f} s", size, figures.seconds()));
    const double bytes = figures.peak_bytes / size;
    if (size >= 100'000 && bytes >= 1024) missed.push_back(fmt::format("{} tasks took {:.0f} bytes each", size, bytes));
  }
  const auto& [least, small] = *cases.begin();
  const auto& [most, large] = *cases.rbegin();
  const double growth = (large.seconds() / most) / (small.seconds() / least);
  if (growth > 4)
    missed.push_back(fmt::format("a task of {} took {:.1f} times as long as one of {}", most, growth, least));
  for (const std::string& bar : missed) fmt::print(stderr, "missed: {}: {}\n", shape, bar);
  return missed.empty();
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = options_of(argc, argv);
  fmt::print(stderr, "                      processor seconds                          bytes a task\n");
  fmt::print(stderr, "{:<8} {:>9} {:>9} {:>9} {:>10} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}\n", "shape", "tasks", "read",
             "plan", "schedule", "all", "text", "read", "+plan", "+schedule", "peak");
  bool met = true;
  for (const auto& [name, shape] : k_shapes) {
    if (std::find(options.shapes.begin(), options.shapes.end(), name) == options.shapes.end()) continue;
    std::map<unsigned, Figures> cases;
    for (unsigned size : options.sizes) {
      if (shape == Shape::data && size > k_most_with_data) continue;
      const Figures figures = best_of(shape, size);
      print(name, size, figures);
      cases.emplace(size, figures);
    }
    if (!cases.empty()) met = meets_bars(name, cases) && met;
  }
  return options.check && !met ? 1 : 0;
}
