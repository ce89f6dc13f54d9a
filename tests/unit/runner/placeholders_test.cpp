#include "runner/placeholders.hpp"

#include <gtest/gtest.h>

namespace mlpipe::runner {
namespace {

class PlaceholdersTest : public ::testing::Test {
 protected:
  PlaceholdersTest() {
    run_.run_id = "run-1";
    run_.root = "/root";
    interface_.input_parameters = {{.name = "rate", .type = spec::ParameterType::floating, .default_value = Value(0.5)},
                                   {.name = "tags", .type = spec::ParameterType::list, .optional = true}};
    interface_.input_artifacts = {{.name = "table"}, {.name = "extra", .optional = true}};
    interface_.output_parameters = {{.name = "rows", .type = spec::ParameterType::integer}};
    interface_.output_artifacts = {{.name = "model", .type = "system.Model", .file_name = "model.bin"}};
    inputs_.artifacts["table"] = {
        .name = "table", .type = "system.Dataset", .uri = "/data/t.csv", .metadata = Value::Struct{{"rows", 10}}};
    files_.visible = "/root/runs/run-1/train";
    files_.visible_inputs = "/mlpipe/inputs";
    uris_["model"] = "/root/runs/run-1/train/model/model.bin";
  }

  std::string look(std::vector<std::string> path) {
    Placeholders placeholders(run_, interface_, inputs_, files_, uris_);
    Result<Value> value = placeholders.lookup({.path = std::move(path)});
    return value ? to_json(*value) : "error: " + value.error().message;
  }

  RunContext run_;
  spec::Interface interface_;
  engine::TaskData inputs_;
  AttemptFiles files_{.tree = artifact::TaskTree("/root/runs/run-1", "train")};
  std::map<std::string, std::string> uris_;
};

TEST_F(PlaceholdersTest, NamesStandForValuesPathsAndUris) {
  EXPECT_EQ(look({"inputs", "rate"}), "0.5");
  EXPECT_EQ(look({"inputs", "rate", "path"}), "\"/mlpipe/inputs/rate\"");
  EXPECT_EQ(look({"inputs", "table"}), "\"/data/t.csv\"");
  EXPECT_EQ(look({"inputs", "table", "path"}), "\"/data/t.csv\"");
  EXPECT_EQ(look({"inputs", "table", "uri"}), "\"/data/t.csv\"");
  EXPECT_EQ(look({"inputs", "table", "metadata", "rows"}), "10");
  EXPECT_EQ(look({"outputs", "model", "path"}), "\"/root/runs/run-1/train/model/model.bin\"");
  EXPECT_EQ(look({"outputs", "model", "uri"}), "\"/root/runs/run-1/train/model/model.bin\"");
  EXPECT_EQ(look({"outputs", "rows", "path"}), "\"/root/runs/run-1/train/.mlpipe/parameters/rows\"");
  EXPECT_EQ(look({"run", "id"}), "\"run-1\"");
}

TEST_F(PlaceholdersTest, WhatWasNotGivenIsNullOrAnError) {
  EXPECT_EQ(look({"inputs", "tags"}), "null");
  EXPECT_EQ(look({"inputs", "extra", "path"}), "null");
  inputs_.artifacts.clear();
  EXPECT_EQ(look({"inputs", "table", "path"}), "error: input \"table\" was not given");
  EXPECT_EQ(look({"outputs", "nothing", "path"}), "error: the component has no output \"nothing\"");
}

TEST_F(PlaceholdersTest, ADefaultIsAValueButNotPresent) {
  Placeholders placeholders(run_, interface_, inputs_, files_, uris_);
  EXPECT_FALSE(placeholders.present("rate"));
  EXPECT_TRUE(placeholders.present("table"));
  EXPECT_FALSE(placeholders.present("extra"));
}

TEST_F(PlaceholdersTest, ExecutorInputIsKfps) {
  EXPECT_EQ(look({"executor_input"}).substr(0, 1), "\"");
  Placeholders placeholders(run_, interface_, inputs_, files_, uris_);
  EXPECT_EQ(to_json(placeholders.executor_input()),
            R"({"inputs":{"artifacts":{"table":{"artifacts":[{"metadata":{"rows":10},"name":"table","type":)"
            R"({"schemaTitle":"system.Dataset","schemaVersion":"0.0.1"},"uri":"/data/t.csv"}]}},)"
            R"("parameterValues":{"rate":0.5}},"outputs":{"artifacts":{"model":{"artifacts":[{"metadata":{},)"
            R"("name":"model","type":{"schemaTitle":"system.Model","schemaVersion":"0.0.1"},)"
            R"("uri":"/root/runs/run-1/train/model/model.bin"}]}},)"
            R"("outputFile":"/root/runs/run-1/train/.mlpipe/executor_output.json",)"
            R"("parameters":{"rows":{"outputFile":"/root/runs/run-1/train/.mlpipe/parameters/rows"}}}})");
}

TEST_F(PlaceholdersTest, EnvironmentNamesAreUpperCaseWithUnderscores) {
  EXPECT_EQ(environment_name("MLPIPE_INPUT_", "test-size.2"), "MLPIPE_INPUT_TEST_SIZE_2");
}

}  // namespace
}  // namespace mlpipe::runner
