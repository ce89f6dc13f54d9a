#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "spec/reading.hpp"

namespace mlpipe::spec {

// What a reference in a pipeline stands for.
struct Source {
  enum class Kind { unknown, parameter, artifact, run };  // unknown: what declares it could not be read
  Kind kind = Kind::unknown;
  ParameterType parameter_type = ParameterType::string;
  std::string artifact_type;
  bool may_be_absent = false;  // an optional output, or a pipeline parameter that is optional and has no default
  std::string output;          // of a task: the output's key, also when the reference spells it otherwise
};

// "Integer", "Dataset": the type in a message.
std::string type_text(const Source& source);

// Whether `reference` names something of the pipeline, and not of the component that a task runs.
bool is_of_pipeline(const Reference& reference);

// The names that a pipeline's `${{ }}` can refer to.
class PipelineScope final {
 public:
  PipelineScope(Reading& reading, const Interface& parameters, const DagSpec& dag);

  // What `reference` stands for; says what is wrong with one that stands for nothing.
  std::optional<Source> resolve(const Reference& reference);
  // The task's place in the DAG; says so when there is none.
  std::optional<std::size_t> task(std::string_view name, Where where);
  std::optional<std::size_t> task_index(std::string_view name) const;

  // Parameters that nothing resolved so far.
  std::vector<const ParameterSpec*> unused_parameters() const;

 private:
  std::optional<Source> resolve_parameter(const Reference& reference);
  std::optional<Source> resolve_output(const Reference& reference);

  Reading& reading_;
  const Interface& parameters_;
  const DagSpec& dag_;
  std::unordered_map<std::string_view, std::size_t> parameter_index_, task_index_;
  std::vector<bool> parameter_used_;
  std::vector<std::string> task_names_;  // made when a wrong name asks for them
  std::optional<std::vector<std::string>> parameter_names_;
};

}  // namespace mlpipe::spec
