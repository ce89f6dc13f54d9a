#include "spec/implicit_inputs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "spec/expression_rename.hpp"
#include "spec/interface_reader.hpp"
#include "spec/node_reader.hpp"
#include "spec/word_reader.hpp"

namespace mlpipe::spec {
namespace {

bool is_literal(const Word& word) {
  const auto* text = std::get_if<Template>(&word.form);
  return text != nullptr && text->is_literal();
}

// Every text of a task that may hold references, for reading or for change.
template <class Component, class Visit>
void visit_texts(Component& component, const Visit& visit) {
  if (auto* importer = std::get_if<ImporterSpec>(&component.implementation)) visit(importer->uri);
  auto* container = std::get_if<ContainerSpec>(&component.implementation);
  if (container == nullptr) return;
  visit(container->image);
  for (auto& word : container->command) visit(word);
  for (auto& word : container->args) visit(word);
  if (container->script) visit(*container->script);
  for (auto& variable : container->env) visit(variable.value);
}

bool is_literal_text(const Template& text) { return text.is_literal(); }
bool is_literal_text(const Word& word) { return is_literal(word); }

bool has_references(const ComponentSpec& component) {
  bool found = false;
  visit_texts(component, [&](const auto& text) { found = found || !is_literal_text(text); });
  return found;
}

class ImplicitInputs final {
 public:
  ImplicitInputs(TaskSpec& task, ComponentSpec& component, PipelineScope& scope, Reading& reading)
      : task_(task), component_(component), scope_(scope), reading_(reading) {}

  void localize_component() {
    visit_texts(component_, [&](auto& text) {
      if (!is_literal_text(text)) text = renamed(text, [&](const Reference& r) { return local(r); });
    });
  }

  void localize_env() {
    auto settings = std::make_shared<TaskSettings>(*task_.settings);
    for (EnvVariable& variable : settings->env) {
      variable.value = renamed(variable.value, [&](const Reference& r) { return local(r); });
    }
    task_.settings = std::move(settings);
  }

  bool added() const { return added_; }

 private:
  Reference local(const Reference& reference) {
    if (!is_of_pipeline(reference)) {
      check_component_reference(reference, component_.interface, reading_.mistakes);
      return reference;
    }
    std::optional<Source> source = scope_.resolve(reference);
    if (!source || source->kind == Source::Kind::unknown || !check_part(reference, *source)) return reference;
    Reference result{{"inputs", input_for(reference, *source)}, reference.where};
    if (reference.path.size() == 5) result.path.push_back(reference.path[4]);
    return result;
  }

  bool check_part(const Reference& reference, const Source& source) {
    bool has_part = reference.path.size() == 5;
    std::string name = to_string(reference);
    if (source.kind == Source::Kind::artifact && !has_part) {
      reading_.mistakes.error(reference.where, fmt::format("{} is an artifact and has no value", ticked(name)),
                              fmt::format("{0}.path is the file or folder, {0}.uri its address", name));
      return false;
    }
    if (source.kind == Source::Kind::parameter && has_part && reference.path[4] == "uri") {
      reading_.mistakes.error(reference.where,
                              fmt::format("{} is the uri of a parameter, which has none", ticked(name)),
                              "leave `.uri` out for its value");
      return false;
    }
    return true;
  }

  static Binding binding_of(const Reference& reference, const Source& source) {
    if (reference.path[0] == "parameters") return PipelineInput{reference.path[1]};
    return TaskOutput{reference.path[1], source.output};
  }

  static bool same(const Binding& a, const Binding& b) {
    if (const auto* input = std::get_if<PipelineInput>(&a)) {
      const auto* other = std::get_if<PipelineInput>(&b);
      return other != nullptr && input->name == other->name;
    }
    const auto* output = std::get_if<TaskOutput>(&a);
    const auto* other = std::get_if<TaskOutput>(&b);
    return output != nullptr && other != nullptr && output->task == other->task && output->output == other->output;
  }

  // The input that gives what `reference` names: one that is bound to it already, with its type, or a new one.
  std::string input_for(const Reference& reference, const Source& source) {
    Binding binding = binding_of(reference, source);
    for (const Argument& argument : task_.arguments) {
      if (!same(argument.binding, binding)) continue;
      const ParameterSpec* parameter = component_.interface.input_parameter(argument.input);
      bool same_kind = source.kind == Source::Kind::artifact
                           ? parameter == nullptr
                           : parameter != nullptr && parameter->type == source.parameter_type;
      if (same_kind) return argument.input;
    }
    std::string name = free_name(reference, source);
    if (source.kind == Source::Kind::artifact) {
      component_.interface.input_artifacts.push_back(
          {.name = name, .type = source.artifact_type, .optional = source.may_be_absent, .where = reference.where});
    } else {
      component_.interface.input_parameters.push_back({.name = name,
                                                       .type = source.parameter_type,
                                                       .default_value = std::nullopt,
                                                       .optional = source.may_be_absent,
                                                       .where = reference.where});
    }
    task_.arguments.push_back({name, std::move(binding), reference.where});
    added_ = true;
    return name;
  }

  // `rate` for parameters.rate, `split_train` for tasks.split.outputs.train; with a number behind it when that is taken.
  std::string free_name(const Reference& reference, const Source& source) const {
    std::string wish = reference.path[0] == "parameters" ? reference.path[1] : reference.path[1] + "_" + source.output;
    for (char& c : wish) {
      if (c == '.' || c == '-') c = '_';
    }
    if (wish.size() > 90) wish.resize(90);
    std::vector<std::string> taken;
    for (const std::string& name : port_names(component_.interface, Direction::input))
      taken.push_back(variable_suffix(name));
    std::string name = wish;
    for (int i = 2; std::find(taken.begin(), taken.end(), variable_suffix(name)) != taken.end(); ++i) {
      name = fmt::format("{}_{}", wish, i);
    }
    return name;
  }

  TaskSpec& task_;
  ComponentSpec& component_;
  PipelineScope& scope_;
  Reading& reading_;
  bool added_ = false;
};

}  // namespace

void add_implicit_inputs(TaskSpec& task, PipelineScope& scope, Reading& reading) {
  const ComponentSpec& original = reading.spec.component(task.component);
  bool is_own = original.where.file == 0;  // written in the pipeline, not in a component file that others may use
  bool env_refers =
      !original.is_importer() && std::any_of(task.settings->env.begin(), task.settings->env.end(),
                                             [](const EnvVariable& variable) { return !variable.value.is_literal(); });
  if (is_own && (env_refers || has_references(original))) {
    // Out of the vector while the scope, too, reads it: a task may name its own outputs, which is said later.
    ComponentSpec component = original;
    ImplicitInputs inputs(task, component, scope, reading);
    inputs.localize_component();
    if (env_refers) inputs.localize_env();
    reading.spec.components[static_cast<std::size_t>(task.component)] = std::move(component);
  } else if (!is_own && env_refers) {
    ComponentSpec copy = original;
    ImplicitInputs inputs(task, copy, scope, reading);
    inputs.localize_env();
    if (!inputs.added()) return;
    reading.spec.components.push_back(std::move(copy));
    task.component = static_cast<ComponentId>(reading.spec.components.size() - 1);
  }
}

}  // namespace mlpipe::spec
