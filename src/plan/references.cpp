#include "mlpipe/plan/references.hpp"

#include <algorithm>

namespace mlpipe::plan {
namespace {

using Visit = std::function<void(std::string_view, std::string_view)>;

void visit_references(const std::vector<spec::Reference>& references, const Visit& visit) {
  for (const spec::Reference& reference : references) {
    const std::vector<std::string>& path = reference.path;
    if (path.size() >= 4 && path[0] == "tasks") visit(path[1], path[3]);  // tasks.<task>.outputs.<output>
  }
}

bool have_run_id(const std::vector<spec::Reference>& references) {
  return std::ranges::any_of(references, [](const spec::Reference& reference) {
    return reference.path.size() >= 2 && reference.path[0] == "run" && reference.path[1] == "id";
  });
}

}  // namespace

bool takes_run_id(const spec::TaskSpec& spec) {
  if (spec.when && have_run_id(spec.when->references())) return true;
  return std::ranges::any_of(spec.arguments, [](const spec::Argument& argument) {
    const auto* text = std::get_if<spec::Template>(&argument.binding);
    return text != nullptr && have_run_id(text->references());
  });
}

void for_each_reference(const spec::TaskSpec& spec, const Visit& visit) {
  for (const spec::Argument& argument : spec.arguments) {
    if (const auto* output = std::get_if<spec::TaskOutput>(&argument.binding)) {
      visit(output->task, output->output);
    } else if (const auto* text = std::get_if<spec::Template>(&argument.binding)) {
      visit_references(text->references(), visit);
    }
  }
  if (spec.when) visit_references(spec.when->references(), visit);
  for (const std::string& task : spec.after) visit(task, {});
}

}  // namespace mlpipe::plan
