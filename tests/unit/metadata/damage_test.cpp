#include <random>

#include "fixture.hpp"
#include "mlpipe/metadata/lineage.hpp"
#include "mlpipe/metadata/run_selection.hpp"

// Whatever the file holds: an Error that names it, or rows; no crash (these run under ASan and UBSan too).
namespace mlpipe::metadata {
namespace {

using test::RunWriter;
using testing::HasSubstr;

std::string sample_database(const std::filesystem::path& file) {
  {
    auto record = must_open(file);
    RunWriter writer(*record, "r1", test::numbered_tasks(60));
    for (int task = 0; task < 30; ++task) {
      engine::TaskData outputs;
      outputs.parameters["n"] = Value(task);
      outputs.artifacts["model"] = test::make_artifact("model", "system.Model", "/root/model");
      outputs.artifacts["model"].metadata = Value::Struct{{"framework", Value("sklearn")}};
      writer.succeed("task_" + std::to_string(task), outputs);
    }
    writer.finish(engine::RunState::cancelled);
  }
  return test::slurp(file);
}

// Reads and writes all there is. Gives the first Error, if any.
std::optional<Error> use(const std::filesystem::path& file) {
  auto queries = open_queries(file, {});
  if (!queries) return queries.error();
  if (auto runs = (*queries)->runs(0); !runs) return runs.error();
  if (auto run = (*queries)->find_run("latest"); !run) return run.error();
  if (auto tasks = (*queries)->tasks("r1"); !tasks) return tasks.error();
  if (auto events = (*queries)->events("r1", "", 0); !events) return events.error();
  RunSelection selection{.filter = {.parameters = {{"rate", "0.5"}}, .metrics = {{"a.x", Comparison::less, 1}}}};
  if (auto runs = (*queries)->select_runs(selection); !runs) return runs.error();
  for (const Side side : {Side::input, Side::output}) {
    const MakingQuery query{.side = side, .digest = "sha256:" + std::string(64, 'a'), .limit = 5};
    if (auto makings = (*queries)->makings(query); !makings) return makings.error();
  }
  if (auto making = (*queries)->making_of("r1", "task_3"); !making) return making.error();
  if (auto places = (*queries)->outputs_at("/root/model"); !places) return places.error();
  queries->reset();

  auto record = open_record(file);
  if (!record) return record.error();
  auto spec = test::make_spec("p", {"a"});
  const plan::Plan plan = plan::make_plan(*spec, {}).value();
  if (auto begun = (*record)->begin(test::start_of("r2"), plan); !begun) return begun.error();
  if (auto finished = (*record)->finish(engine::RunState::succeeded, test::at_millisecond(0)); !finished)
    return finished.error();
  return std::nullopt;
}

TEST(Damage, ATruncatedDatabaseIsAnErrorThatNamesIt) {
  test::TempDir folder;
  const std::string whole = sample_database(folder.path() / "whole.db");
  ASSERT_GT(whole.size(), 40'000u);
  for (const std::size_t length :
       {std::size_t{1}, std::size_t{15}, std::size_t{16}, std::size_t{50}, std::size_t{99}, std::size_t{100},
        std::size_t{511}, std::size_t{512}, std::size_t{4095}, std::size_t{4096}, std::size_t{4097},
        std::size_t{20'000}, whole.size() / 2, whole.size() - 4096, whole.size() - 1}) {
    const std::filesystem::path file = folder.write("cut/metadata.db", whole.substr(0, length));
    const std::optional<Error> error = use(file);
    ASSERT_TRUE(error) << length;
    EXPECT_THAT(error->message, HasSubstr(file.string())) << length;
    EXPECT_THAT(error->message + error->hint, testing::AnyOf(HasSubstr("damaged"), HasSubstr("no SQLite database")))
        << length;
    std::filesystem::remove_all(folder.path() / "cut");
  }
}

TEST(Damage, FlippedBitsAreNoCrash) {
  test::TempDir folder;
  const std::string whole = sample_database(folder.path() / "whole.db");
  std::mt19937 random(7);
  std::size_t found = 0;
  constexpr int k_rounds = 300;
  for (int round = 0; round < k_rounds; ++round) {
    std::string damaged = whole;
    // Every other round in the first pages, where the schema is.
    const std::size_t range = round % 2 == 0 ? whole.size() : 8192;
    for (int flip = 0; flip <= round % 8; ++flip) damaged[random() % range] ^= static_cast<char>(1u << (random() % 8));
    const std::filesystem::path file = folder.write("flip/metadata.db", damaged);
    if (const std::optional<Error> error = use(file)) {
      ++found;
      EXPECT_THAT(error->message, testing::AnyOf(HasSubstr(file.string()), HasSubstr("r1"))) << round;
    }
    std::filesystem::remove_all(folder.path() / "flip");
  }
  EXPECT_GT(found, std::size_t{k_rounds / 10});  // much of a file is text, in which a flipped bit is just another text
}

TEST(Damage, ADamagedLogIsIgnoredFromThereOn) {
  test::TempDir folder;
  const std::filesystem::path file = folder.path() / "live" / "metadata.db";
  auto record = must_open(file);
  RunWriter writer(*record, "r1", test::numbered_tasks(20));
  writer.succeed("task_0");
  const std::string database = test::slurp(file);
  std::string log = test::slurp(file.string() + "-wal");
  ASSERT_GT(log.size(), 10'000u);

  // As after a power cut in the middle of a write of the log.
  log.resize(log.size() - 100);
  const std::filesystem::path copy = folder.write("copy/metadata.db", database);
  folder.write("copy/metadata.db-wal", log);
  EXPECT_EQ(must_read(copy)->find_run("r1")->tasks, 20u);
  EXPECT_EQ(integrity(copy), "ok");
  const std::int64_t events = ask(copy, "SELECT count(*) FROM events");
  EXPECT_EQ(events, ask(file, "SELECT count(*) FROM events") - 1);
}

}  // namespace
}  // namespace mlpipe::metadata
