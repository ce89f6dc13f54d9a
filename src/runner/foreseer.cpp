#include "mlpipe/runner/foreseer.hpp"

#include "mlpipe/runner/import.hpp"
#include "runner/attempt.hpp"

namespace mlpipe::runner {
namespace {

using engine::CacheAnswer;
using engine::TaskData;
using engine::TaskId;

class WorldForeseer final : public engine::Foreseer {
 public:
  WorldForeseer(const plan::Plan& plan, RunCache& cache, artifact::ArtifactStore& store, const FoundImages& images,
                Imports imports, const sys::StopSignal& stop)
      : plan_(plan), cache_(cache), store_(store), images_(images), imports_(imports), stop_(stop) {}

  std::string runs_anyway(TaskId task) override {
    std::string why = cache_.runs_anyway(task);
    const spec::ContainerSpec* container = plan_.component(task).container();
    if (!why.empty() || container == nullptr) return why;
    const Result<std::string> key = image_key(plan_.component(task), engine::inputs_known_beforehand(plan_, task));
    if (!key) return {};  // named by what the task is given
    const auto absent = images_.absent.find(*key);
    return absent == images_.absent.end() ? std::string() : absent->second;
  }

  CacheAnswer look(TaskId task, const TaskData& inputs) override {
    CacheAnswer answer = cache_.foresee(task, inputs);
    const spec::ContainerSpec* container = plan_.component(task).container();
    const bool is_known = answer.kind == CacheAnswer::Kind::hit || answer.kind == CacheAnswer::Kind::removed;
    if (!is_known || container == nullptr) return answer;
    const Result<std::string> key = image_key(plan_.component(task), inputs);
    if (key && images_.pulled_anew.contains(*key)) {
      answer.kind = CacheAnswer::Kind::busy;
      answer.why = "its image is pulled anew (`pull: always`): cached if it is still the same";
      answer.outputs = {};
    }
    return answer;
  }

  Result<std::optional<TaskData>> import(TaskId task, const TaskData& inputs) override {
    const spec::ComponentSpec& component = plan_.component(task);
    Result<engine::Artifact> found =
        imports_ == Imports::only_named
            ? name_import(component, inputs)
            : look_at_import(component, inputs, store_, [this] { return stop_.requested(); });
    if (!found) return Failure(std::move(found).error());
    TaskData outputs;
    outputs.artifacts.emplace("artifact", std::move(*found));
    return std::optional(std::move(outputs));
  }

 private:
  const plan::Plan& plan_;
  RunCache& cache_;
  artifact::ArtifactStore& store_;
  const FoundImages& images_;
  const Imports imports_;
  const sys::StopSignal& stop_;
};

}  // namespace

std::unique_ptr<engine::Foreseer> make_foreseer(const plan::Plan& plan, RunCache& cache, artifact::ArtifactStore& store,
                                                const FoundImages& images, Imports imports,
                                                const sys::StopSignal& stop) {
  return std::make_unique<WorldForeseer>(plan, cache, store, images, imports, stop);
}

}  // namespace mlpipe::runner
