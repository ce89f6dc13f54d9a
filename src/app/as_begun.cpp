#include "app/as_begun.hpp"

#include <algorithm>

#include "app/parameters.hpp"
#include "app/print.hpp"
#include "app/run_options.hpp"
#include "app/snapshot.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/file.hpp"

namespace mlpipe::app {
namespace {

class Differences final {
 public:
  void add(std::string_view what, const std::string& has, const std::string& asked) {
    lines_.push_back(fmt::format("  {}: the run has {}, asked for is {}", what, printable(has), printable(asked)));
  }
  bool none() const { return lines_.empty(); }
  std::string text() const { return join(lines_, "\n"); }

 private:
  std::vector<std::string> lines_;
};

std::string or_none(const std::string& text) { return text.empty() ? "none" : text; }

void compare_lists(std::string_view option, const std::vector<std::string>& has, const std::vector<std::string>& asked,
                   Differences& differences) {
  if (!asked.empty() && asked != has) differences.add(option, or_none(join(has, ", ")), join(asked, ", "));
}

// Of options that have a default nobody knows whether the default was said: it asks for nothing.
void compare_options(const RunCommand& said, const metadata::RunRow& run, Differences& differences) {
  const RunCommand by_default;
  RunCommand begun;
  apply_options(run.options, begun);
  compare_lists("--from", begun.from, said.from, differences);
  compare_lists("--until", begun.until, said.until, differences);
  compare_lists("--only", begun.only, said.only, differences);
  compare_lists("--component-path", begun.component_path, said.component_path, differences);
  if (said.engine != by_default.engine && said.engine != begun.engine) {
    differences.add("--engine", "docker", "process");
  }
  if (said.keep_going && !begun.keep_going) differences.add("--keep-going", "no", "yes");
  if (!said.cache && begun.cache) differences.add("--no-cache", "no", "yes");
  if (said.grace != by_default.grace && said.grace != begun.grace) {
    differences.add("--grace", duration_text(begun.grace), duration_text(said.grace));
  }
}

Result<> compare_arguments(const RunCommand& said, const metadata::RunRow& run, const artifact::Root& root,
                           Differences& differences) {
  if (said.parameters.empty() && said.parameters_file.empty()) return {};
  const Result<spec::PipelineSpec> spec = kept_pipeline(root, run, said.component_path);
  if (!spec) return Failure(spec.error());
  const Value::Struct& has = run.arguments.as_struct();
  const Result<Value::Struct> asked = pipeline_arguments(said, *spec, has);
  if (!asked) return within(fmt::format("run {}, which was interrupted and goes on as it was", run.id), asked.error());
  for (const auto& [name, value] : *asked) {
    const auto found = has.find(name);
    if (found != has.end() && found->second == value) continue;
    differences.add("parameter " + name, found == has.end() ? "none" : parameter_text(found->second),
                    parameter_text(value));
  }
  return {};
}

}  // namespace

Result<> check_as_begun(const RunCommand& said, const metadata::RunRow& run, const artifact::Root& root) {
  Differences differences;
  if (!said.run_id.empty() && said.run_id != run.id) differences.add("--run-id", run.id, said.run_id);
  if (Result<> compared = compare_arguments(said, run, root, differences); !compared) return compared;
  if (!said.experiment.empty() && said.experiment != run.experiment) {
    differences.add("--experiment", or_none(run.experiment), said.experiment);
  }
  compare_options(said, run, differences);
  if (differences.none()) return {};
  return fail_with_hint(
      ErrorCode::conflict,
      fmt::format("run {} was interrupted: it goes on as it was, and something else is asked for\n{}", run.id,
                  differences.text()),
      fmt::format("`mlpipe resume {}` goes on with it as it was; `mlpipe run` without --resume begins a new run",
                  run.id));
}

// They may have been changed by `mlpipe label` since the run was begun, and what runs does not hang on them.
void tell_of_other_labels(const RunCommand& said, const metadata::RunRow& run) {
  std::vector<std::string> others;
  for (const std::string& label : said.labels) {
    const std::size_t equals = label.find('=');
    const auto found = run.labels.find(label.substr(0, equals));
    if (found == run.labels.end() || found->second != label.substr(equals + 1)) others.push_back(printable(label));
  }
  if (others.empty()) return;
  print_error(
      fmt::format("mlpipe: run {} goes on with the labels it has, without {}; `mlpipe label {} NAME=TEXT` sets one\n",
                  run.id, join(others, ", "), run.id));
}

void tell_of_changed_files(const metadata::RunRow& run, const artifact::Root& root, const std::string& pipeline) {
  const Result<std::vector<spec::SourceFile>> kept = kept_sources(root.run(run.id));
  if (!kept) return;  // whoever needs them says what is wrong with them
  std::vector<std::string> changed;
  for (const spec::SourceFile& source : *kept) {
    const bool is_first = &source == &kept->front();
    const std::string path = is_first && !pipeline.empty() ? pipeline : source.path;
    if (path.empty()) continue;
    const Result<std::string> text = sys::read_file(path);
    if (text && *text != source.text) changed.push_back(printable(path));
  }
  if (changed.empty()) return;
  print_error(fmt::format(
      "mlpipe: {} {} changed since run {} was begun: it goes on with the pipeline as it was; `mlpipe run` without "
      "--resume begins a new run\n",
      join(changed, ", "), changed.size() == 1 ? "has" : "have", run.id));
}

}  // namespace mlpipe::app
