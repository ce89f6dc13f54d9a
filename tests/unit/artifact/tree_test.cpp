#include "mlpipe/artifact/tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mlpipe::artifact {
namespace {

using testing::HasSubstr;

TEST(CheckName, TakesPlainNames) {
  for (const char* name : {"a", "train_model-2", "house-prices-20260203-040506-1a2b", "A.b", "-x", "0"}) {
    EXPECT_TRUE(check_name("task name", name)) << name;
  }
  EXPECT_TRUE(check_name("task name", std::string(100, 'a')));
}

TEST(CheckName, SaysWhichRuleIsBroken) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "it is empty"},
      {".", "it starts with a dot"},
      {"..", "it starts with a dot"},
      {".mlpipe", "it starts with a dot"},
      {"../../x", "it starts with a dot"},
      {"a/b", "\"/\" may not be in it"},
      {"a b", "the byte 0x20 may not be in it"},
      {std::string("a\0b", 3), "the byte 0x00 may not be in it"},
      {"a\nb", "the byte 0x0a may not be in it"},
      {"na\xc3\xafve", "the byte 0xc3 may not be in it"},
      {"$(x)", "\"$\" may not be in it"},
      {std::string(101, 'a'), "it has 101 bytes, more than 100"},
  };
  for (const auto& [name, why] : cases) {
    const Result<> checked = check_name("run id", name);
    ASSERT_FALSE(checked) << name;
    EXPECT_EQ(checked.error().code, ErrorCode::invalid_input);
    EXPECT_THAT(checked.error().message, testing::StartsWith("run id \""));
    EXPECT_THAT(checked.error().message, HasSubstr(why));
    EXPECT_THAT(checked.error().message, testing::Not(HasSubstr("\n")));
  }
}

TEST(Tree, PutsThingsWhereTheDesignSays) {
  const Root root("/r");
  const TaskTree task(root.run("id"), "loop/3/train");
  EXPECT_EQ(task.output("model"), "/r/runs/id/loop/3/train/model");
  EXPECT_EQ(task.log(2), "/r/runs/id/loop/3/train/.mlpipe/attempts/2/log");
  EXPECT_EQ(TaskTree::parameter_file(task.work(1), "n"),
            "/r/runs/id/loop/3/train/.mlpipe/attempts/1/work/.mlpipe/parameters/n");
  EXPECT_EQ(root.run_lock("id"), "/r/.mlpipe/locks/id.lock");
}

}  // namespace
}  // namespace mlpipe::artifact
