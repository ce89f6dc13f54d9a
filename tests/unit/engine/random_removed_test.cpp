#include <algorithm>
#include <functional>
#include <set>

#include "mlpipe/engine/foresight.hpp"
#include "removed_fixture.hpp"
#include "run_fixture.hpp"
#include "support/random.hpp"

// Random pipelines with results without artifacts: what may be assumed of them is checked from outside.
namespace mlpipe::engine {
namespace {

using test::Random;
using Kind = CacheAnswer::Kind;

// The results of all runs on one root, and the artifacts of this one. What a task gives is made of its code and what it is given.
class World final : public ResultCache, public Foreseer {
 public:
  explicit World(const plan::Plan& plan) : plan_(plan) {}

  std::vector<unsigned> code;   // by task
  std::vector<bool> cache_off;  // by task
  std::set<TaskId> asked_without_artifacts;

  void begin_run() {
    run_ += 1;
    here_.clear();
    asked_without_artifacts.clear();
  }
  // Somebody takes the files of a result away, without a word.
  void lose(Random& random, unsigned percent) {
    for (auto& [key, result] : results_) {
      if (!result.copies.empty() && random.chance(percent)) result.copies = {k_lost};
    }
  }

  TaskData attempt(TaskId task, const TaskData& inputs) {
    for (const auto& [name, value] : inputs.artifacts) {
      EXPECT_TRUE(here_.contains(value.uri))
          << plan_.task(task).path() << " starts, but its input is not there: " << value.uri;
    }
    Known& result = results_[key(task, inputs)];
    result.outputs = given_by(task, inputs);
    result.copies.erase(k_lost);
    result.copies.insert(run_);
    return put_here(task, result.outputs);
  }

  CacheAnswer look_up(TaskId task, const TaskData& inputs) override {
    CacheAnswer answer = foresee(task, inputs);
    if (answer.kind == Kind::removed) asked_without_artifacts.insert(task);
    if (answer.kind != Kind::hit) return answer;
    results_.at(answer.fingerprint).copies.insert(run_);
    put_here(task, answer.outputs);
    return answer;
  }
  CacheAnswer claim(TaskId task, const TaskData& inputs) override { return look_up(task, inputs); }
  CacheAnswer foresee(TaskId task, const TaskData& inputs) override {
    CacheAnswer answer{.fingerprint = key(task, inputs), .why = "no result"};
    const auto found = results_.find(answer.fingerprint);
    if (found == results_.end() || cache_off[plan::index(task)] || plan_.component(task).is_importer()) return answer;
    if (found->second.copies.contains(k_lost)) return answer;
    answer.kind = found->second.copies.empty() ? Kind::removed : Kind::hit;
    answer.from_run = "earlier";
    answer.outputs = at_place(task, found->second.outputs);
    return answer;
  }
  void release(TaskId) override {}
  Result<> make_durable() override { return {}; }
  void discard(TaskId task, const TaskData& outputs) override {
    EXPECT_EQ(here_.erase(outputs.artifacts.at("data").uri), 1U) << plan_.task(task).path();
    for (auto& [key, result] : results_) {
      if (key.starts_with(fmt::format("{} ", plan::index(task)))) result.copies.erase(run_);
    }
  }

  std::string runs_anyway(TaskId task) override { return cache_off[plan::index(task)] ? "off" : ""; }
  CacheAnswer look(TaskId task, const TaskData& inputs) override { return foresee(task, inputs); }
  Result<std::optional<TaskData>> import(TaskId task, const TaskData& inputs) override {
    return std::optional(at_place(task, given_by(task, inputs)));
  }

 private:
  static constexpr int k_lost = -1;
  struct Known {
    TaskData outputs;
    std::set<int> copies;  // in the trees of these runs
  };

  std::string key(TaskId task, const TaskData& inputs) const {
    std::string text = fmt::format("{} {}", plan::index(task), code[plan::index(task)]);
    for (const auto& [name, value] : inputs.parameters) text += fmt::format(" {}={}", name, value.as_integer());
    for (const auto& [name, value] : inputs.artifacts) text += fmt::format(" {}={}", name, value.digest);
    return text;
  }
  TaskData given_by(TaskId task, const TaskData& inputs) const {
    const std::size_t mixed = std::hash<std::string>()(key(task, inputs));
    TaskData outputs = artifact(std::to_string(mixed % 3));  // often the same from other things
    outputs.parameters.emplace("n", Value(static_cast<std::int64_t>(mixed / 3 % 2)));
    return outputs;
  }
  TaskData at_place(TaskId task, TaskData outputs) const {
    outputs.artifacts.at("data").uri = fmt::format("/run/{}", plan::index(task));
    return outputs;
  }
  TaskData put_here(TaskId task, const TaskData& outputs) {
    TaskData placed = at_place(task, outputs);
    here_.insert(placed.artifacts.at("data").uri);
    return placed;
  }

  const plan::Plan& plan_;
  std::map<std::string, Known> results_;
  std::set<std::string> here_;  // artifacts in the tree of this run
  int run_ = 0;
};

struct Ran {
  std::vector<TaskState> states;
  std::set<TaskId> open;  // had no result when all they need had ended
  std::set<TaskId> started, removed;
  std::map<TaskId, std::string> why;
};

enum class Failing { no, yes };

class RandomRemovals : public testing::TestWithParam<unsigned> {
 protected:
  void make_pipeline(Random& random) {
    test::PipelineBuilder builder;
    const spec::ComponentId passing = builder.component(interface_with(3));
    spec::ComponentSpec importer;
    importer.interface = interface_with(3);
    importer.implementation = spec::ImporterSpec{};
    const spec::ComponentId importing = builder.component(importer);
    size = random.between(2, 30);
    const unsigned kept = random.below(60);
    for (unsigned number = 0; number < size; ++number) {
      auto task = builder.task("t" + std::to_string(number)).component(passing);
      const auto earlier = [&] { return "t" + std::to_string(number - 1 - random.below(std::min(number, 8U))); };
      for (const char* input : {"a0", "a1", "a2"}) {
        if (number > 0 && random.chance(45)) task.argument(input, spec::TaskOutput{earlier(), "data"});
      }
      if (number > 0 && random.chance(20)) task.argument("x0", spec::TaskOutput{earlier(), "n"});
      if (number > 0 && random.chance(10)) task.after(earlier());
      if (number > 0 && random.chance(6)) task.when("tasks." + earlier() + ".outputs.n == 0");
      if (random.chance(5)) task.all_completed();
      if (number > 0 && random.chance(3)) task.component(importing);
      if (!random.chance(kept)) task.do_not_keep();
    }
    if (random.chance(30)) builder.output("result", "t" + std::to_string(random.below(size)), "data");
    spec = builder.build();
    plan = std::make_unique<plan::Plan>(plan::make_plan(spec, {}).value());
    world = std::make_unique<World>(*plan);
    for (unsigned task = 0; task < size; ++task) {
      world->code.push_back(random.below(1000));
      world->cache_off.push_back(random.chance(4));
    }
  }

  Ran carry_out(Random& random, Failing failing) {
    world->begin_run();
    test::FakeClock clock;
    test::FakeRunner runner(clock);
    std::map<TaskId, TaskData> given;
    Ran ran;
    runner.on_start = [&](const AttemptRequest& request) {
      given[request.id.task] = request.inputs;
      ran.started.insert(request.id.task);
    };
    runner.script = [&](AttemptId id) {
      TaskData outputs = world->attempt(id.task, given[id.task]);
      Script script = failing == Failing::yes && random.chance(10) ? fails() : succeeds(std::move(outputs));
      script.lasts = 1s * random.below(20);
      return script;
    };
    if (failing == Failing::yes && random.chance(20)) runner.at(1s * random.below(60), Interrupted{2});
    test::FakeRecord record;
    test::FakeReporter reporter;
    engine::Run run(*plan, options, world.get());
    EXPECT_TRUE(run_to_end(run, runner, record, reporter, clock));
    for (std::uint32_t task = 0; task < size; ++task) {
      ran.states.push_back(run.state(TaskId{task}));
      EXPECT_THAT(run.reason(TaskId{task}), Not(HasSubstr("taken away")));
    }
    for (const Transition& each : record.history) {
      if (each.to == TaskState::ready) ran.open.insert(each.task);
    }
    ran.removed = record.removed;
    ran.why = record.why;
    return ran;
  }

  bool reads(TaskId reader, TaskId maker) const {
    const auto& arguments = plan->task(reader).spec->arguments;
    return std::ranges::any_of(arguments, [&](const spec::Argument& argument) {
      const auto* output = std::get_if<spec::TaskOutput>(&argument.binding);
      return output != nullptr && output->task == plan->task(maker).path() && output->output == "data";
    });
  }
  std::set<TaskId> with_needs(std::set<TaskId> tasks) const {
    for (std::vector<TaskId> next(tasks.begin(), tasks.end()); !next.empty();) {
      const TaskId task = next.back();
      next.pop_back();
      for (TaskId need : plan->needs(task)) {
        if (tasks.insert(need).second) next.push_back(need);
      }
    }
    return tasks;
  }

  // Was there a reason to run `maker`, whose result had lost its artifacts? Something that it gives to, near or far, or that
  // those are given something by, had to run; or it is to have artifacts.
  bool had_to_run(TaskId maker, const Ran& ran) const {
    const spec::TaskSpec& its_spec = *plan->task(maker).spec;
    const auto& outputs = plan->spec().root_dag().outputs;
    if (its_spec.settings->keep || plan->dependants(maker).empty()) return true;
    if (!outputs.empty() && outputs[0].source.task == its_spec.name) return true;
    const std::set<TaskId> above = with_needs({maker});
    std::set<TaskId> concerned{maker};
    for (std::size_t before = 0; before != concerned.size();) {
      before = concerned.size();
      for (TaskId task : plan->order()) {
        if (!plan->selected(task)) return true;
        for (TaskId giver : std::set<TaskId>(concerned)) {
          if (reads(task, giver)) concerned.insert(task);
        }
      }
      concerned = with_needs(concerned);
      for (TaskId task : above) concerned.erase(task);
      concerned.insert(maker);
    }
    concerned.erase(maker);
    for (TaskId task : concerned) {
      if (ran.open.contains(task)) return true;
    }
    return false;
  }

  void check_foreseen(TaskId task, const Foresight& foreseen, const Ran& ran) {
    const bool started = ran.started.contains(task);
    const bool cached = ran.states[plan::index(task)] == TaskState::succeeded && !started;
    const std::string what =
        fmt::format("{} is foreseen as {} ({}), but {}{}{}", plan->task(task).path(), to_string(foreseen.outlook),
                    foreseen.reason, to_string(ran.states[plan::index(task)]), started ? ", started" : "",
                    ran.removed.contains(task) ? ", removed" : "");
    switch (foreseen.outlook) {
      case Outlook::run:
      case Outlook::import: EXPECT_TRUE(started) << what; break;
      case Outlook::cached:
        EXPECT_TRUE(cached) << what;
        EXPECT_EQ(foreseen.answer.removed, ran.removed.contains(task)) << what;
        break;
      case Outlook::depends: EXPECT_FALSE(foreseen.depends_on.empty()) << what; break;
      case Outlook::skip: EXPECT_EQ(ran.states[plan::index(task)], TaskState::skipped) << what; break;
      default: EXPECT_EQ(ran.states[plan::index(task)], TaskState::failed) << what;
    }
  }

  unsigned size = 0;
  spec::PipelineSpec spec;
  std::unique_ptr<plan::Plan> plan;
  std::unique_ptr<World> world;
  RunOptions options{.run_id = "r", .limits = {.max_parallel = 3}, .on_failure = FailurePolicy::keep_going};
};

constexpr unsigned k_pipelines = 200, k_runs = 5;

TEST_P(RandomRemovals, AreNeededByNobody) {
  unsigned accepted = 0, made_again = 0, for_nothing = 0, foreseen_so = 0;
  for (unsigned seed = GetParam() * k_pipelines; seed < (GetParam() + 1) * k_pipelines && !HasFailure(); ++seed) {
    Random random(seed);
    make_pipeline(random);
    options.limits.max_parallel = static_cast<int>(random.between(1, 5));
    options.on_failure = random.chance(70) ? FailurePolicy::keep_going : FailurePolicy::fail_fast;
    for (unsigned number = 0; number < k_runs && !HasFailure(); ++number) {
      SCOPED_TRACE(fmt::format("seed {}, run {}", seed, number));
      const Failing failing = random.chance(30) ? Failing::yes : Failing::no;
      if (number > 0 && random.chance(60)) {
        if (random.chance(70)) world->code[random.below(size)] = random.below(1000);
        if (random.chance(30)) world->lose(random, random.below(20));
      }
      const std::vector<Foresight> foreseen = foresee(*plan, options, *world);
      const Ran ran = carry_out(random, failing);
      for (TaskId task : world->asked_without_artifacts) {
        if (failing == Failing::yes || !ran.started.contains(task)) continue;
        ++made_again;
        if (!had_to_run(task, ran)) ++for_nothing;
      }
      accepted += static_cast<unsigned>(ran.removed.size());
      if (failing == Failing::yes || options.on_failure == FailurePolicy::fail_fast) continue;
      for (TaskId task : plan->order()) {
        check_foreseen(task, foreseen[plan::index(task)], ran);
        if (foreseen[plan::index(task)].answer.removed) ++foreseen_so;
      }
    }
  }
  EXPECT_GT(accepted, k_pipelines);
  EXPECT_GT(made_again, k_pipelines / 4);
  EXPECT_GT(foreseen_so, k_pipelines / 2);
  EXPECT_LT(for_nothing, made_again / 1000 + 1)
      << "an obstacle that was met once may count for longer than it should, but rarely";
}

INSTANTIATE_TEST_SUITE_P(Blocks, RandomRemovals, testing::Range(0U, 4U));

}  // namespace
}  // namespace mlpipe::engine
