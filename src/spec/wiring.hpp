#pragma once

#include "spec/pipeline_scope.hpp"
#include "spec/yaml_tree.hpp"

namespace mlpipe::spec {

// Binds what tasks take to what gives it, and checks it: names, types, what is missing, what nobody uses, cycles.
// Linear in tasks and references.
class Wiring final {
 public:
  Wiring(Reading& reading, ComponentSpec& root, DagSpec& dag)
      : reading_(reading), root_(root), dag_(dag), scope_(reading, root.interface, dag) {}

  // `node` is what the file says about task number `index`; tasks come in order.
  void bind_task(std::size_t index, YamlNode node);
  // `outputs:` of the pipeline.
  void bind_outputs(YamlNode node);
  void check_cycles();
  void warn_of_unused();

 private:
  void check_references_in(YamlNode value);
  void check_references(const Template& text);
  void check_env(const TaskSpec& task);
  void bind_arguments(TaskSpec& task, YamlNode node);
  void bind_argument(TaskSpec& task, YamlEntry entry);
  std::optional<Binding> bind(YamlNode value, std::string_view input, const Interface& interface);
  std::optional<Binding> bind_template(YamlNode value, std::string_view input, const Interface& interface);
  std::optional<Binding> bind_reference(const Reference& reference, std::string_view input, const Interface& interface);
  bool check_fits(const Source& source, const Reference& reference, std::string_view input, const Interface& interface);
  Reference as_declared(Reference reference);
  bool tell_of_absent(const Reference& reference, std::string_view input);
  bool may_be_boolean(const Reference& reference);
  bool check_values_only(const std::vector<Reference>& references);
  void bind_when(TaskSpec& task, YamlNode node);
  void check_missing(const TaskSpec& task, YamlNode node);
  void check_pools(const TaskSpec& task, YamlNode node);
  void warn_of_unread_inputs(const TaskSpec& task);
  void warn_of_missing_interpreter(const TaskSpec& task);
  Where waiting_place(std::size_t waiting, const std::string& awaited) const;
  void bind_output(YamlEntry entry);

  Reading& reading_;
  ComponentSpec& root_;
  DagSpec& dag_;
  PipelineScope scope_;
  std::vector<YamlNode> nodes_;  // of the tasks bound so far
};

}  // namespace mlpipe::spec
