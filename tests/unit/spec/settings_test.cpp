#include <gtest/gtest.h>

#include "mlpipe/spec/reader.hpp"

// Settings of tasks that mean more than one word: what is read, what is warned of.
namespace mlpipe::spec {
namespace {

ReadPipeline read(const std::string& text) { return read_pipeline_text(text, "p.yaml", "/nowhere", {}); }

std::string said_of(const std::string& text) {
  ReadPipeline result = read(text);
  return render(result.diagnostics, result.sources);
}

// The settings of the first task.
TaskSettings settings_of(const std::string& text) {
  ReadPipeline result = read(text);
  EXPECT_TRUE(result.spec) << render(result.diagnostics, result.sources);
  return result.spec ? *result.spec->root_dag().tasks.front().settings : TaskSettings{};
}

std::string with_retry(const std::string& retry, const std::string& more = "") {
  return "name: p\ntasks:\n  a:\n    image: x\n    retry: " + retry + "\n" + more;
}

TEST(RetrySettings, NothingSaidOfCausesMeansAny) {
  RetryPolicy retry = settings_of(with_retry("3")).retry;
  EXPECT_EQ(retry.limit, 3);
  EXPECT_FALSE(retry.on);
  EXPECT_EQ(retry.memory_factor, 1);
}

TEST(RetrySettings, CausesAreWordsAndExitCodes) {
  RetryPolicy retry = settings_of(with_retry("{limit: 1, on: [oom, timeout, exit: [1, 75]]}")).retry;
  ASSERT_TRUE(retry.on);
  EXPECT_EQ(retry.on->causes, (std::vector<RetryCause>{RetryCause::oom, RetryCause::timeout}));
  EXPECT_EQ(retry.on->exit_codes, (std::vector<int>{1, 75}));
}

TEST(RetrySettings, EveryCauseHasItsWord) {
  RetryPolicy retry = settings_of(with_retry("{limit: 1, on: [exit, signal, oom, timeout, missing_output]}")).retry;
  EXPECT_EQ(retry.on->causes, (std::vector<RetryCause>{RetryCause::exit, RetryCause::signal, RetryCause::oom,
                                                       RetryCause::timeout, RetryCause::missing_output}));
}

TEST(RetrySettings, OneCauseAndOneExitCodeNeedNoList) {
  EXPECT_EQ(settings_of(with_retry("{limit: 1, on: oom}")).retry.on->causes, std::vector<RetryCause>{RetryCause::oom});
  EXPECT_EQ(settings_of(with_retry("{limit: 1, on: [exit: 75]}")).retry.on->exit_codes, std::vector<int>{75});
}

TEST(RetrySettings, MemoryIsAFactor) {
  const std::string memory = "    resources: {memory: 1Gi}\n";
  EXPECT_EQ(settings_of(with_retry("{limit: 1, memory: x2}", memory)).retry.memory_factor, 2);
  EXPECT_EQ(settings_of(with_retry("{limit: 1, memory: x1.5}", memory)).retry.memory_factor, 1.5);
  EXPECT_EQ(settings_of(with_retry("{limit: 1, memory: x64}", memory)).retry.memory_factor, 64);
  EXPECT_EQ(said_of(with_retry("{limit: 1, memory: x2}", memory)), "");
}

TEST(RetrySettings, ATasksOwnCausesReplaceTheDefaultsAndItsLimitDoesNot) {
  RetryPolicy retry =
      settings_of(
          "name: p\ndefaults: {image: x, retry: {limit: 3, on: [oom, signal]}}\ntasks: {a: {retry: {on: [timeout]}}}\n")
          .retry;
  EXPECT_EQ(retry.limit, 3);
  EXPECT_EQ(retry.on->causes, std::vector<RetryCause>{RetryCause::timeout});
}

TEST(RetrySettings, CausesWithoutALimitAreWarnedOf) {
  EXPECT_EQ(said_of(with_retry("{on: [oom]}")),
            "p.yaml:5:17: warning: `retry` has no limit, so nothing is tried again\n"
            "      retry: {on: [oom]}\n"
            "                  ^\n"
            "  hint: add `limit: 1`\n");
  EXPECT_NE(said_of(with_retry("{memory: x2}")).find("no limit"), std::string::npos);
  EXPECT_EQ(said_of(with_retry("{limit: 0, on: [oom]}")), "");  // off on purpose
  EXPECT_TRUE(read(with_retry("{on: [oom]}")).spec);
}

TEST(RetrySettings, CausesInDefaultsAreWarnedOfWhenNoTaskHasALimit) {
  const std::string defaults = "name: p\ndefaults: {image: x, retry: {on: [oom]}}\n";
  EXPECT_NE(said_of(defaults + "tasks: {a: {}, b: {}}\n").find("p.yaml:2:34: warning: `retry` has no limit"),
            std::string::npos);
  EXPECT_EQ(said_of(defaults + "tasks: {a: {}, b: {retry: 2}}\n"), "");
}

TEST(RetrySettings, AMemoryFactorWithoutMemoryIsWarnedOf) {
  EXPECT_NE(said_of(with_retry("{limit: 1, memory: x2}")).find("warning: `memory` of `retry` has nothing to multiply"),
            std::string::npos);
  EXPECT_NE(said_of(with_retry("{limit: 1, on: [exit], memory: x2}", "    resources: {memory: 1Gi}\n"))
                .find("add oom to `on`"),
            std::string::npos);
}

TaskSettings with_cache(const std::string& defaults, const std::string& task) {
  return settings_of("name: p\ndefaults: {image: x" + defaults + "}\ntasks: {a: {" + task + "}}\n");
}

TEST(CacheSettings, TheCacheIsOnUnlessSaidOtherwise) {
  EXPECT_EQ(with_cache("", "").cache, CacheSettings{});
  EXPECT_TRUE(with_cache(", cache: false", "cache: true").cache.enabled);
  EXPECT_FALSE(with_cache("", "cache: false").cache.enabled);
}

TEST(CacheSettings, VersionIsTextAsWrittenAndMaxAgeTakesDays) {
  CacheSettings cache = with_cache("", "cache: {version: 1.10, max_age: 7d}").cache;
  EXPECT_TRUE(cache.enabled);
  EXPECT_EQ(cache.version, "1.10");
  EXPECT_EQ(cache.max_age, std::chrono::hours(7 * 24));
  EXPECT_FALSE(with_cache("", "cache: {enabled: false, version: 3}").cache.enabled);
}

TEST(CacheSettings, AreMergedByKey) {
  CacheSettings cache = with_cache(", cache: {version: 1, max_age: 1h}", "cache: {version: 2}").cache;
  EXPECT_EQ(cache.version, "2");
  EXPECT_EQ(cache.max_age, std::chrono::hours(1));
  cache = with_cache(", cache: {version: 1}", "cache: false").cache;
  EXPECT_FALSE(cache.enabled);
  EXPECT_EQ(cache.version, "1");
}

TEST(CacheSettings, AVersionWhereTheDefaultIsNoCacheIsWarnedOf) {
  const std::string off = "name: p\ndefaults: {image: x, cache: false}\ntasks: {a: {cache: ";
  EXPECT_NE(said_of(off + "{version: 2}}}\n").find("p.yaml:3:20: warning: the cache is off by `defaults`"),
            std::string::npos);
  EXPECT_EQ(said_of(off + "{version: 2, enabled: true}}}\n"), "");
  EXPECT_EQ(said_of(off + "false}}\n"), "");
}

TEST(KeepSetting, ATaskSaysWhetherItsArtifactsAreKept) {
  EXPECT_TRUE(with_cache("", "").keep);
  EXPECT_FALSE(with_cache("", "keep: false").keep);
  EXPECT_FALSE(with_cache(", keep: false", "").keep);
  EXPECT_TRUE(with_cache(", keep: false", "keep: true").keep);
}

TEST(ResourceSettings, WhatTheEngineTakesAtLeastIsTakenAndNothingIsNoLimit) {
  Resources least = with_cache("", "resources: {memory: 6Mi, cpu: 0.01, shm: 0}").resources;
  EXPECT_EQ(least.memory, 6U << 20U);
  EXPECT_EQ(least.cpu, 0.01);
  EXPECT_EQ(with_cache("", "resources: {memory: 0, cpu: 0, shm: 0, gpu: 0}").resources, Resources{});
  EXPECT_EQ(with_cache("", "resources: {shm: 1}").resources.shm, 1U);
}

TEST(ResourceSettings, CoresMayBeWrittenAsKubernetesDoes) {
  for (const auto& [text, cores] : std::vector<std::pair<std::string, double>>{{"2", 2},
                                                                               {"\"2\"", 2},
                                                                               {"0.5", 0.5},
                                                                               {"\"0.5\"", 0.5},
                                                                               {"500m", 0.5},
                                                                               {"\"500m\"", 0.5},
                                                                               {"'1500m'", 1.5}}) {
    EXPECT_EQ(with_cache("", "resources: {cpu: " + text + "}").resources.cpu, cores) << text;
  }
}

TEST(ResourceSettings, NumbersOfYamlCountAsTheyDoElsewhere) {
  EXPECT_EQ(with_cache("", "resources: {gpu: 2.0}").resources.gpu, 2);
  EXPECT_EQ(with_cache("", "resources: {shm: 0x100}").resources.shm, 256U);
  EXPECT_EQ(with_cache("", "timeout: 1e3").timeout, std::chrono::seconds(1000));
  EXPECT_EQ(with_cache("", "timeout: +5").timeout, std::chrono::seconds(5));
}

TEST(Experiment, IsATextOfThePipeline) {
  auto experiment = [](const std::string& line) {
    return read("name: p\n" + line + "tasks: {a: {image: x}}\n").spec->experiment;
  };
  EXPECT_EQ(experiment(""), "");
  EXPECT_EQ(experiment("experiment: wider trees\n"), "wider trees");
  EXPECT_EQ(experiment("experiment: 7\n"), "7");
}

}  // namespace
}  // namespace mlpipe::spec
