#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "mlpipe/spec/model.hpp"

namespace mlpipe::test {

// A reference, condition or template from its source text; for tests only, so a mistake throws.
inline spec::Expression expression(std::string_view text) {
  auto parsed = spec::parse_expression(text, {});
  if (!parsed) throw std::invalid_argument(parsed.error().message);
  return *parsed;
}
inline spec::Template text_template(std::string_view text) {
  auto parsed = spec::parse_template(text, {});
  if (!parsed) throw std::invalid_argument(parsed.error().message);
  return *parsed;
}

// Builds a PipelineSpec by hand, without YAML:
//   PipelineBuilder pipeline;
//   pipeline.task("a").retry({.limit = 2});
//   pipeline.task("b").after("a").cpu(2);
//   const spec::PipelineSpec spec = pipeline.build();
// Tasks use a component without inputs and outputs unless told otherwise.
class PipelineBuilder final {
 public:
  class Task final {
   public:
    Task(PipelineBuilder& pipeline, std::size_t number) : pipeline_(pipeline), number_(number) {}

    Task& after(std::string task) { return spec().after.push_back(std::move(task)), *this; }
    Task& argument(std::string input, spec::Binding binding) {
      return spec().arguments.push_back({std::move(input), std::move(binding), {}}), *this;
    }
    Task& component(spec::ComponentId id) { return spec().component = id, *this; }
    Task& when(std::string_view condition) { return spec().when = expression(condition), *this; }
    Task& all_completed() { return spec().trigger = spec::TriggerStrategy::all_completed, *this; }

    Task& retry(spec::RetryPolicy policy) { return settings().retry = policy, *this; }
    Task& timeout(std::chrono::milliseconds time) { return settings().timeout = time, *this; }
    Task& cpu(double cores) { return settings().resources.cpu = cores, *this; }
    Task& memory(std::uint64_t bytes) { return settings().resources.memory = bytes, *this; }
    Task& gpu(int devices) { return settings().resources.gpu = devices, *this; }
    Task& network(spec::NetworkMode mode) { return settings().network = mode, *this; }
    Task& do_not_keep() { return settings().keep = false, *this; }
    Task& pool(std::string name) { return settings().pools.push_back(std::move(name)), *this; }

   private:
    spec::TaskSpec& spec() { return pipeline_.dag_.tasks[number_]; }
    spec::TaskSettings& settings() {
      auto own = std::make_shared<spec::TaskSettings>(*spec().settings);
      spec().settings = own;
      return *own;
    }

    PipelineBuilder& pipeline_;
    std::size_t number_;
  };

  PipelineBuilder() { component(spec::Interface{}); }

  Task task(std::string name) {
    spec::TaskSpec task;
    task.name = std::move(name);
    task.component = spec::ComponentId{1};
    task.settings = no_settings_;
    dag_.tasks.push_back(std::move(task));
    return {*this, dag_.tasks.size() - 1};
  }

  PipelineBuilder& parameter(spec::ParameterSpec parameter) {
    interface_.input_parameters.push_back(std::move(parameter));
    return *this;
  }
  PipelineBuilder& pool(std::string name, int places) {
    pools_.push_back({std::move(name), places});
    return *this;
  }

  // The pipeline gives what `task` gives as `output`.
  PipelineBuilder& output(std::string name, std::string task, std::string output) {
    dag_.outputs.push_back({.name = std::move(name), .source = {std::move(task), std::move(output)}});
    return *this;
  }

  spec::ComponentId component(spec::Interface interface) {
    spec::ComponentSpec component;
    component.name = "component";
    component.interface = std::move(interface);
    component.implementation = spec::ContainerSpec{};
    components_.push_back(std::move(component));
    return spec::ComponentId{static_cast<std::uint32_t>(components_.size())};  // behind the root
  }

  spec::ComponentId component(spec::ComponentSpec component) {
    components_.push_back(std::move(component));
    return spec::ComponentId{static_cast<std::uint32_t>(components_.size())};
  }

  // Of the tasks so far; the builder is done for.
  spec::PipelineSpec build() {
    spec::PipelineSpec pipeline;
    pipeline.name = "test";
    spec::ComponentSpec root;
    root.interface = std::move(interface_);
    root.implementation = std::move(dag_);
    pipeline.components.push_back(std::move(root));
    for (spec::ComponentSpec& component : components_) pipeline.components.push_back(std::move(component));
    pipeline.pools = std::move(pools_);
    return pipeline;
  }

 private:
  spec::Interface interface_;
  spec::DagSpec dag_;
  std::vector<spec::ComponentSpec> components_;
  std::vector<spec::Pool> pools_;
  std::shared_ptr<const spec::TaskSettings> no_settings_ = std::make_shared<spec::TaskSettings>();
};

inline spec::ParameterSpec parameter(std::string name, spec::ParameterType type) {
  spec::ParameterSpec spec;
  spec.name = std::move(name);
  spec.type = type;
  return spec;
}
inline spec::ParameterSpec parameter(std::string name, spec::ParameterType type, Value default_value) {
  spec::ParameterSpec spec = parameter(std::move(name), type);
  spec.default_value = std::move(default_value);
  return spec;
}
inline spec::ArtifactSpec artifact(std::string name, std::string type = "system.Artifact") {
  spec::ArtifactSpec spec;
  spec.name = std::move(name);
  spec.type = std::move(type);
  return spec;
}

}  // namespace mlpipe::test
