#include "mlpipe/engine/foresight.hpp"

#include <set>

#include "run_fixture.hpp"
#include "support/random.hpp"

namespace mlpipe::engine {
namespace {

using Kind = CacheAnswer::Kind;

// Knows results by the task's name, and says so.
class FakeForeseer final : public Foreseer {
 public:
  explicit FakeForeseer(const std::unique_ptr<plan::Plan>& plan) : plan_(plan) {}

  std::map<std::string, TaskData> results;
  std::map<std::string, TaskData> imports;
  std::map<std::string, std::string> anyway;
  std::set<std::string> busy;
  std::map<std::string, TaskData> asked;  // look(), with what the task is given

  std::string runs_anyway(TaskId task) override { return anyway[name(task)]; }
  CacheAnswer look(TaskId task, const TaskData& inputs) override {
    asked[name(task)] = inputs;
    if (busy.contains(name(task))) return {.kind = Kind::busy, .why = "process 7 makes it"};
    const auto found = results.find(name(task));
    if (found == results.end()) return {.why = "no result"};
    return {.kind = Kind::hit, .from_run = "earlier", .outputs = found->second};
  }
  Result<std::optional<TaskData>> import(TaskId task, const TaskData&) override {
    const auto found = imports.find(name(task));
    if (found == imports.end()) return fail(ErrorCode::not_found, "nothing is there");
    return found->second;
  }

 private:
  std::string name(TaskId task) const { return std::string(plan_->task(task).path()); }
  const std::unique_ptr<plan::Plan>& plan_;
};

TaskData number(const std::string& name, std::int64_t value) {
  TaskData data;
  data.parameters.emplace(name, Value(value));
  return data;
}

// Tasks with one optional Integer in, `x`, and one out, `y`.
class ForeseeTest : public RunTest {
 protected:
  ForeseeTest() {
    spec::Interface interface;
    interface.input_parameters.push_back(test::parameter("x", spec::ParameterType::integer));
    interface.input_parameters.back().optional = true;
    interface.output_parameters.push_back(test::parameter("y", spec::ParameterType::integer));
    passing_ = pipeline.component(interface);
    spec::ComponentSpec importer;
    importer.implementation = spec::ImporterSpec{};
    importing_ = pipeline.component(importer);
  }

  test::PipelineBuilder::Task add(const std::string& name) { return pipeline.task(name).component(passing_); }
  test::PipelineBuilder::Task add(const std::string& name, const std::string& giver) {
    return add(name).argument("x", spec::TaskOutput{giver, "y"});
  }
  test::PipelineBuilder::Task add_import(const std::string& name) { return pipeline.task(name).component(importing_); }

  void look(const plan::Selection& selection = {}, const std::vector<Recovered>& recovered = {}) {
    prepare(selection);
    foreseen = foresee(*plan, options, foreseer, recovered);
  }
  const Foresight& of(const std::string& task) { return foreseen.at(plan::index(id(task))); }
  Outlook outlook(const std::string& task) { return of(task).outlook; }

  FakeForeseer foreseer{plan};
  std::vector<Foresight> foreseen;

 private:
  spec::ComponentId passing_{};
  spec::ComponentId importing_{};
};

TEST_F(ForeseeTest, WhatHasNoResultRunsAndWhatReadsItDepends) {
  add("a");
  add("b", "a");
  add("c", "b");
  look();
  EXPECT_EQ(outlook("a"), Outlook::run);
  EXPECT_EQ(of("a").reason, "no result");
  EXPECT_EQ(outlook("b"), Outlook::depends);
  EXPECT_EQ(of("b").reason, "on 'a': cached if it gives the same");
  EXPECT_THAT(of("b").depends_on, ElementsAre(id("a")));
  EXPECT_THAT(of("c").depends_on, ElementsAre(id("b")));
}

TEST_F(ForeseeTest, OutputsOfCachedTasksAreGivenOn) {
  add("a");
  add("b", "a");
  foreseer.results = {{"a", number("y", 7)}, {"b", number("y", 8)}};
  look();
  EXPECT_EQ(outlook("a"), Outlook::cached);
  EXPECT_EQ(of("a").reason, "from run earlier");
  EXPECT_EQ(outlook("b"), Outlook::cached);
  EXPECT_EQ(foreseer.asked.at("b"), number("x", 7));
}

TEST_F(ForeseeTest, AnOrderWithoutDataIsNothingToDependOn) {
  add("a");
  add("b").after("a");
  foreseer.results = {{"b", {}}};
  look();
  EXPECT_EQ(outlook("a"), Outlook::run);
  EXPECT_EQ(outlook("b"), Outlook::cached);
}

TEST_F(ForeseeTest, WhatRunsAnywayRunsWhateverItIsGiven) {
  add("a");
  add("b", "a");
  foreseer.anyway = {{"b", "it says so"}};
  foreseer.results = {{"b", {}}};
  look();
  EXPECT_EQ(outlook("b"), Outlook::run);
  EXPECT_EQ(of("b").reason, "it says so");
  EXPECT_FALSE(foreseer.asked.contains("b"));
}

TEST_F(ForeseeTest, AResultThatIsBeingMadeIsDependedOn) {
  add("a");
  foreseer.busy = {"a"};
  look();
  EXPECT_EQ(outlook("a"), Outlook::depends);
  EXPECT_EQ(of("a").reason, "process 7 makes it");
}

TEST_F(ForeseeTest, ImportsAreLookedAtUnlessSomethingIsToEndBefore) {
  add("a");
  add_import("raw");
  add_import("late").after("a");
  add_import("lost");
  foreseer.imports = {{"raw", number("z", 1)}, {"late", number("z", 1)}};
  look();
  EXPECT_EQ(outlook("raw"), Outlook::import);
  EXPECT_EQ(of("raw").outputs, number("z", 1));
  EXPECT_EQ(outlook("late"), Outlook::import);
  EXPECT_EQ(of("late").outputs, TaskData{});
  EXPECT_EQ(of("late").reason, "looked at when 'a' has ended");
  EXPECT_EQ(outlook("lost"), Outlook::fail);
  EXPECT_EQ(of("lost").reason, "nothing is there");
}

TEST_F(ForeseeTest, AConditionIsHeldAgainstWhatIsKnown) {
  add("a");
  add("no").when("1 > 2");
  add("below_no", "no");
  add("open").when("tasks.a.outputs.y > 2");
  add("below_open").after("open");
  add("always").after("no").all_completed();
  add("odd").when("1 + 1");
  add("below_odd").after("odd");
  look();
  EXPECT_EQ(outlook("no"), Outlook::skip);
  EXPECT_EQ(of("no").reason, "its condition is false: 1 > 2");
  EXPECT_EQ(outlook("below_no"), Outlook::skip);
  EXPECT_EQ(of("below_no").reason, "'no' is skipped");
  EXPECT_EQ(outlook("open"), Outlook::depends);
  EXPECT_EQ(of("open").reason, "on 'a': it is run if tasks.a.outputs.y > 2");
  EXPECT_EQ(outlook("below_open"), Outlook::depends);
  EXPECT_EQ(of("below_open").reason, "on 'open': skipped with it");
  EXPECT_EQ(outlook("always"), Outlook::run);
  EXPECT_EQ(outlook("odd"), Outlook::fail);
  EXPECT_EQ(of("below_odd").reason, "'odd' would fail");
}

TEST_F(ForeseeTest, TasksLeftOutAreSkippedAndOwedNothing) {
  add("a");
  add("b").after("a");
  look({.only = {"b"}});
  EXPECT_EQ(outlook("a"), Outlook::skip);
  EXPECT_EQ(of("a").reason, "not selected");
  EXPECT_EQ(outlook("b"), Outlook::run);
}

TEST_F(ForeseeTest, ARunThatGoesOnKeepsWhatIsDone) {
  add("a");
  add("b", "a");
  add("c", "b");
  add("d", "a");
  add("e").after("broken");
  add("broken");
  options.on_failure = FailurePolicy::keep_going;
  const auto recovered = [this] {
    return std::vector<Recovered>{
        {.task = id("a"), .state = TaskState::succeeded, .attempt = 1, .outputs = number("y", 1)},
        {.task = id("b"), .state = TaskState::running, .attempt = 2},
        {.task = id("broken"), .state = TaskState::failed, .attempt = 1, .reason = "exit code 1"}};
  };
  prepare();
  foreseen = foresee(*plan, options, foreseer, recovered());
  EXPECT_EQ(outlook("a"), Outlook::done);
  EXPECT_EQ(outlook("b"), Outlook::go_on);
  EXPECT_EQ(outlook("c"), Outlook::depends);
  EXPECT_EQ(outlook("d"), Outlook::run);
  EXPECT_EQ(foreseer.asked.at("d"), number("x", 1));
  EXPECT_EQ(outlook("broken"), Outlook::done);
  EXPECT_EQ(of("e").reason, "'broken' failed");
  options.on_failure = FailurePolicy::fail_fast;
  foreseen = foresee(*plan, options, foreseer, recovered());
  EXPECT_EQ(outlook("b"), Outlook::go_on);
  EXPECT_EQ(outlook("d"), Outlook::skip);
  EXPECT_EQ(of("d").reason, "not started because 'broken' failed");
}

// ---- What is foreseen is what happens ---------------------------------------------------------------------------

// What tasks give is made of their code and what they are given, often the same from different things; results are known
// by what they were made of.
class World final : public ResultCache, public Foreseer {
 public:
  explicit World(const plan::Plan& plan) : plan_(plan) {}

  std::vector<unsigned> code;   // by task; a change is a new version of it
  std::vector<bool> cache_off;  // by task
  std::map<std::string, TaskData> known;

  TaskData run(TaskId task, const TaskData& inputs) {
    std::uint64_t mixed = code[plan::index(task)];
    for (const auto& [name, value] : inputs.parameters)
      mixed = mixed * 31 + static_cast<std::uint64_t>(value.as_integer());
    TaskData outputs = number("y", static_cast<std::int64_t>(mixed * 2654435761U >> 7U) & 1);
    known.insert_or_assign(key(task, inputs), outputs);
    return outputs;
  }

  CacheAnswer look_up(TaskId task, const TaskData& inputs) override {
    CacheAnswer answer{.fingerprint = key(task, inputs), .why = "no result"};
    const auto found = known.find(answer.fingerprint);
    if (found == known.end() || !runs_anyway(task).empty() || plan_.component(task).is_importer()) return answer;
    answer.kind = Kind::hit;
    answer.from_run = "earlier";
    answer.outputs = found->second;
    return answer;
  }
  CacheAnswer claim(TaskId task, const TaskData& inputs) override { return look_up(task, inputs); }
  CacheAnswer foresee(TaskId task, const TaskData& inputs) override { return look_up(task, inputs); }
  void release(TaskId) override {}
  Result<> make_durable() override { return {}; }
  void discard(TaskId, const TaskData&) override {}

  std::string runs_anyway(TaskId task) override { return cache_off[plan::index(task)] ? "off" : ""; }
  CacheAnswer look(TaskId task, const TaskData& inputs) override { return look_up(task, inputs); }
  Result<std::optional<TaskData>> import(TaskId task, const TaskData& inputs) override {
    World copy = *this;  // it has no effect
    return copy.run(task, inputs);
  }
  World(const World&) = default;

 private:
  std::string key(TaskId task, const TaskData& inputs) const {
    std::string text = fmt::format("{} {}", plan::index(task), code[plan::index(task)]);
    for (const auto& [name, value] : inputs.parameters) text += fmt::format(" {}={}", name, value.as_integer());
    return text;
  }
  const plan::Plan& plan_;
};

using test::Random;

void add_task(test::PipelineBuilder& pipeline, spec::ComponentId passing, spec::ComponentId importing, Random& random,
              unsigned number) {
  auto task = pipeline.task("t" + std::to_string(number)).component(passing);
  const auto earlier = [&] { return "t" + std::to_string(random.below(number)); };
  for (const char* input : {"x0", "x1"}) {
    if (number > 0 && random.chance(55)) task.argument(input, spec::TaskOutput{earlier(), "y"});
  }
  if (number > 0 && random.chance(15)) task.after(earlier());
  if (number > 0 && random.chance(12)) task.when("tasks." + earlier() + ".outputs.y == 0");
  if (random.chance(4)) task.when("2 < 1");
  if (random.chance(10)) task.all_completed();
  if (random.chance(8)) task.component(importing);
}
struct Ran {
  std::vector<TaskState> states;
  std::vector<bool> cached;
};
Ran carry_out(const plan::Plan& plan, const RunOptions& options, World& world) {
  test::FakeClock clock;
  test::FakeRunner runner(clock);
  std::map<TaskId, TaskData> given;
  runner.on_start = [&](const AttemptRequest& request) { given[request.id.task] = request.inputs; };
  runner.script = [&](AttemptId id) { return succeeds(world.run(id.task, given[id.task])); };
  test::FakeRecord record;
  test::FakeReporter reporter;
  Run run(plan, options, &world);
  EXPECT_TRUE(run_to_end(run, runner, record, reporter, clock));
  Ran ran;
  for (std::uint32_t task = 0; task < plan.size(); ++task) {
    ran.states.push_back(run.state(TaskId{task}));
    ran.cached.push_back(!run.cached_from(TaskId{task}).empty());
  }
  return ran;
}

void check(const plan::Plan& plan, TaskId task, const Foresight& foreseen, const Ran& ran) {
  const TaskState state = ran.states[plan::index(task)];
  const bool cached = ran.cached[plan::index(task)];
  const bool succeeded = state == TaskState::succeeded;
  const std::string what =
      fmt::format("{} is foreseen as {} ({}), but {}{}", plan.task(task).path(), to_string(foreseen.outlook),
                  foreseen.reason, to_string(state), cached ? ", cached" : "");
  switch (foreseen.outlook) {
    case Outlook::run: EXPECT_TRUE(succeeded && !cached) << what; break;
    case Outlook::import: EXPECT_TRUE(succeeded && !cached) << what; break;
    case Outlook::cached: EXPECT_TRUE(succeeded && cached) << what; break;
    case Outlook::depends: EXPECT_FALSE(foreseen.depends_on.empty()) << what; break;
    case Outlook::skip: EXPECT_EQ(state, TaskState::skipped) << what; break;
    case Outlook::fail: EXPECT_EQ(state, TaskState::failed) << what; break;
    default: ADD_FAILURE() << what;
  }
}

constexpr unsigned k_runs = 250;
class RandomForesight : public testing::TestWithParam<unsigned> {};

TEST_P(RandomForesight, IsWhatARealRunDoes) {
  std::map<Outlook, int> seen;
  for (unsigned seed = GetParam() * k_runs; seed < (GetParam() + 1) * k_runs && !HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    test::PipelineBuilder pipeline;
    spec::Interface interface;
    for (const char* input : {"x0", "x1"}) {
      interface.input_parameters.push_back(test::parameter(input, spec::ParameterType::integer));
      interface.input_parameters.back().optional = true;
    }
    interface.output_parameters.push_back(test::parameter("y", spec::ParameterType::integer));
    const spec::ComponentId passing = pipeline.component(interface);
    spec::ComponentSpec importer;
    importer.interface = interface;
    importer.implementation = spec::ImporterSpec{};
    const spec::ComponentId importing = pipeline.component(importer);
    const unsigned size = random.between(1, 30);
    for (unsigned number = 0; number < size; ++number) add_task(pipeline, passing, importing, random, number);
    const spec::PipelineSpec spec = pipeline.build();
    plan::Plan plan = plan::make_plan(spec, {}).value();

    World world(plan);
    for (unsigned task = 0; task < size; ++task) {
      world.code.push_back(random.below(1000));
      world.cache_off.push_back(random.chance(10));
    }
    RunOptions options{.run_id = "r", .limits = {.max_parallel = 3}, .on_failure = FailurePolicy::keep_going};
    if (random.chance(90)) carry_out(plan, options, world);
    for (unsigned& code : world.code) {
      if (random.chance(10)) code = random.below(1000);
    }
    if (random.chance(20)) (void)plan::select(plan, {.until = {"t" + std::to_string(random.below(size))}});

    const std::map<std::string, TaskData> known = world.known;
    const std::vector<Foresight> foreseen = foresee(plan, options, world);
    EXPECT_EQ(world.known, known) << "looking had an effect";
    const Ran ran = carry_out(plan, options, world);
    for (TaskId task : plan.order()) {
      check(plan, task, foreseen[plan::index(task)], ran);
      ++seen[foreseen[plan::index(task)].outlook];
    }
  }
  for (const Outlook outlook : {Outlook::run, Outlook::cached, Outlook::depends, Outlook::import, Outlook::skip}) {
    EXPECT_GT(seen[outlook], 20) << to_string(outlook) << " hardly ever came about";
  }
}
INSTANTIATE_TEST_SUITE_P(Blocks, RandomForesight, testing::Range(0U, 4U));

}  // namespace
}  // namespace mlpipe::engine
