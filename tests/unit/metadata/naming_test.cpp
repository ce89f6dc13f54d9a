#include "mlpipe/engine/naming.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

namespace mlpipe::engine {
namespace {

TEST(ContainerName, SaysRunTaskAndAttempt) {
  EXPECT_THAT(container_name("/root", "numbers-20260203-040506-ab12", "generate_data", 1),
              testing::MatchesRegex("mlpipe-numbers-20260203-040506-ab12-generate_data-[0-9a-f]+-1"));
}

TEST(ContainerName, DiffersBetweenRootsThatUseTheSameRunId) {
  EXPECT_NE(container_name("/a", "run", "task", 1), container_name("/b", "run", "task", 1));
}

TEST(ContainerName, IsTheSameOnEveryCall) {
  EXPECT_EQ(container_name("/root", "r", "loop/3/train", 2), container_name("/root", "r", "loop/3/train", 2));
}

TEST(ContainerName, KeepsApartWhatReadsAlike) {
  const std::set<std::string> names = {
      container_name("/root", "a-b", "c", 1), container_name("/root", "a", "b-c", 1),
      container_name("/root", "a", "b/c", 1), container_name("/root", "a", "b.c", 1),
      container_name("/root", "a/b", "c", 1), container_name("/root", "a", "c", 1),
      container_name("/root", "a", "c", 11),  container_name("/root", "a-c", "1", 1),
      container_name("/root", "a", "c-1", 1), container_name("/root", "a", "B.c", 1),
      container_name("/root", "a", "b c", 1),
  };
  EXPECT_EQ(names.size(), 11u);
}

TEST(ContainerName, IsAlwaysOneDockerTakes) {
  const std::regex accepted("[a-zA-Z0-9][a-zA-Z0-9_.-]+");
  const std::string long_text(300, 'x');
  for (const std::string& run : {std::string("r"), std::string("ü\n/"), long_text, std::string()}) {
    for (const std::string& task : {std::string("t"), std::string("a/0/b"), long_text, std::string("\xff\0x", 3)}) {
      for (const int attempt : {1, 2147483647}) {
        const std::string name = container_name("/root", run, task, attempt);
        EXPECT_TRUE(std::regex_match(name, accepted)) << name;
        EXPECT_LE(name.size(), k_max_container_name);
      }
    }
  }
}

TEST(ContainerName, LongNamesThatDifferAtTheirEndsDiffer) {
  const std::string run(100, 'r');
  const std::string task(100, 't');
  EXPECT_NE(container_name("/root", run + "1", task, 1), container_name("/root", run + "2", task, 1));
  EXPECT_NE(container_name("/root", run, task + "1", 1), container_name("/root", run, task + "2", 1));
}

}  // namespace
}  // namespace mlpipe::engine
