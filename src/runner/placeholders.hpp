#pragma once

#include <map>
#include <string>

#include "mlpipe/engine/values.hpp"
#include "mlpipe/spec/model.hpp"
#include "runner/attempt_files.hpp"

namespace mlpipe::runner {

// What the placeholders of one attempt stand for: the values, paths and URIs its container is told.
class Placeholders final {
 public:
  // Borrows all of them. `output_uris`: by output artifact name.
  Placeholders(const RunContext& run, const spec::Interface& interface, const engine::TaskData& inputs,
               const AttemptFiles& files, const std::map<std::string, std::string>& output_uris);

  Result<Value> lookup(const spec::Reference& reference) const;
  // Was the input given by the task (a component's default does not count)?
  bool present(std::string_view input) const;
  // Every parameter the container sees, defaults filled in; absent optional ones are left out.
  const std::map<std::string, Value, std::less<>>& parameters() const { return parameters_; }
  // Where the container finds an input artifact.
  static std::filesystem::path input_path(const engine::Artifact& artifact);
  // KFP's ExecutorInput (docs/design.md, "Executor input").
  Value executor_input() const;

 private:
  Result<Value> input(const spec::Reference& reference) const;
  Result<Value> output(const spec::Reference& reference) const;

  const RunContext& run_;
  const spec::Interface& interface_;
  const engine::TaskData& inputs_;
  const AttemptFiles& files_;
  const std::map<std::string, std::string>& output_uris_;
  std::map<std::string, Value, std::less<>> parameters_;
};

// MLPIPE_INPUT_<NAME>: upper case, everything but letters and digits an underscore.
std::string environment_name(std::string_view prefix, std::string_view name);

}  // namespace mlpipe::runner
