#include "app/leftovers.hpp"

#include "app/recorded_run.hpp"
#include "listing_fixture.hpp"

namespace mlpipe::app {
namespace {

using engine::AttemptEnd;
using engine::TaskState;

struct LeftoversTest : ListingTest {
  // What is to be taken up of the run, as the record has it now.
  std::map<std::string, engine::Recovered> recovered(const test::RunWriter& run) {
    const auto queries = open_record_of(root.path()).value();
    const auto tasks = recovered_tasks(run.plan(), queries->tasks("r1").value()).value();
    std::map<std::string, engine::Recovered> by_name;
    for (const engine::Recovered& task : tasks) by_name.emplace(run.plan().task(task.task).path(), task);
    return by_name;
  }
};

TEST_F(LeftoversTest, AttemptsUnderWayAreTakenUpHoweverOftenAResumeIsKilledBeforeItHasDoneSo) {
  test::RunWriter run(record(), "r1", {"starts", "runs", "tried", "done", "not_yet"});
  const engine::TaskData none;
  engine::Transition intent = run.change("starts", TaskState::starting, 1);
  intent.inputs = &none;
  ASSERT_TRUE(run.commit(intent));
  run.start("runs");
  run.start("tried");
  run.end("tried", {.end = AttemptEnd::user_exit, .exit_code = 7}, TaskState::retry_wait);
  run.succeed("done");
  for (int resumes = 0; resumes < 3; ++resumes) {
    const auto tasks = recovered(run);
    EXPECT_EQ(tasks.at("starts").state, TaskState::starting) << resumes;
    EXPECT_EQ(tasks.at("starts").attempt, 1);
    EXPECT_EQ(tasks.at("runs").state, TaskState::running) << resumes;
    EXPECT_TRUE(tasks.at("runs").take_up.running_since);
    EXPECT_FALSE(is_active(tasks.at("tried").state)) << resumes;
    EXPECT_EQ(tasks.at("tried").attempt, 1);
    EXPECT_EQ(tasks.at("done").state, TaskState::succeeded) << resumes;
    EXPECT_EQ(tasks.at("not_yet").state, TaskState::waiting) << resumes;
    ASSERT_TRUE(record().resume("r1", run.plan(), test::at_millisecond(9000 + resumes)));
  }
}

}  // namespace
}  // namespace mlpipe::app
