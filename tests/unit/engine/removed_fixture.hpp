#pragma once

#include <string>

#include "mlpipe/engine/values.hpp"
#include "support/spec_builder.hpp"

// Tasks and data that the tests of results without artifacts have in common.
namespace mlpipe::engine {

inline TaskData artifact(const std::string& digest) {
  TaskData data;
  data.artifacts["data"] =
      Artifact{.name = "data", .type = "system.Dataset", .uri = "/root/" + digest, .digest = digest};
  return data;
}

// Tasks that give an artifact, `data`, and a parameter, `n`, and are given some of both.
inline spec::Interface interface_with(unsigned inputs) {
  spec::Interface interface;
  for (unsigned number = 0; number < inputs; ++number) {
    interface.input_artifacts.push_back(test::artifact("a" + std::to_string(number)));
    interface.input_artifacts.back().optional = true;
    interface.input_parameters.push_back(test::parameter("x" + std::to_string(number), spec::ParameterType::integer));
    interface.input_parameters.back().optional = true;
  }
  interface.output_artifacts = {test::artifact("data", "system.Dataset")};
  interface.output_parameters = {test::parameter("n", spec::ParameterType::integer)};
  return interface;
}

}  // namespace mlpipe::engine
