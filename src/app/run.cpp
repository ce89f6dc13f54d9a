#include "app/run.hpp"

#include "app/as_begun.hpp"
#include "app/dry_run.hpp"
#include "app/engine_choice.hpp"
#include "app/execution.hpp"
#include "app/parameters.hpp"
#include "app/pipeline_file.hpp"
#include "app/preflight.hpp"
#include "app/premises.hpp"
#include "app/print.hpp"
#include "app/rebuild.hpp"
#include "app/resume.hpp"
#include "app/root.hpp"
#include "app/run_folder.hpp"
#include "app/run_options.hpp"
#include "app/start_run.hpp"
#include "app/version.hpp"
#include "mlpipe/base/sha256.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;

std::map<std::string, std::string> labels_of(const RunCommand& command) {
  std::map<std::string, std::string> labels;
  for (const std::string& label : command.labels) {
    const std::size_t equals = std::min(label.find('='), label.size());
    labels.insert_or_assign(label.substr(0, equals), label.substr(std::min(equals + 1, label.size())));
  }
  return labels;
}

std::set<std::string> said_parameters(const RunCommand& command) {
  std::set<std::string> names;
  for (const std::string& said : command.parameters) names.insert(said.substr(0, said.find('=')));
  return names;
}

// Of --if-changed: looks into a root once, and says so when there is nothing to do.
class Look final {
 public:
  Look(const RunCommand& command, const Clock& clock) : command_(command), clock_(clock) {}

  bool finds_nothing_to_do(const fs::path& root) {
    if (!command_.if_changed || root == root_) return false;
    root_ = root;
    const artifact::Root place(root);
    const Outcome outcome = find_unchanged(command_, place, clock_, [this] { return connect_engine(command_.engine); });
    why_ = outcome.why;
    if (outcome.run) tell_unchanged(command_, place, *outcome.run, clock_);
    return outcome.run.has_value();
  }
  void tell_why_it_runs() const {
    if (command_.if_changed) tell_changed(command_, why_, clock_);
  }

 private:
  const RunCommand& command_;
  const Clock& clock_;
  fs::path root_;
  std::string why_;
};

// asked_for() of what may be asked for again with --if-changed.
std::string asked_again(const RunCommand& command) {
  if (!command.parent.empty() || command.engine != EngineChoice::docker) return {};
  return asked_for(command).value_or("");
}

}  // namespace

metadata::RunStart describe_start(const RunCommand& command, const spec::PipelineSpec& spec, const Prepared& prepared,
                                  std::string run_id, WallTime now) {
  std::error_code ignored;
  fs::path file = fs::absolute(command.pipeline, ignored);
  GitState git = git_state(file.parent_path());
  return {.id = std::move(run_id),
          .root = prepared.root.path().string(),
          .spec_digest = "sha256:" + sha256_hex(spec.sources.front().text),
          .spec_file = file.string(),
          .command_line = command.command_line,
          .mlpipe_version = k_version,
          .engine = {},
          .host = prepared.machine.hostname,
          .git_commit = git.commit,
          .git_dirty = git.dirty,
          .created = now,
          .parent = command.parent,
          .options = options_value(command),
          .labels = labels_of(command),
          .experiment = command.experiment.empty() ? spec.experiment : command.experiment};
}

ExitCode run(const RunCommand& command) { return run_from_parent(command, {}); }

ExitCode run_from_parent(const RunCommand& command, Value::Struct inherited) {
  if (Result<> good = check_options(command); !good) return report_error(good.error());
  const SystemClock clock;
  const std::string asked = asked_again(command);
  Look look(command, clock);
  if (!command.resume) {
    // Before the pipeline is read, which takes longest. A `root:` in it is not known yet.
    const Result<fs::path> likely = resolve_root(command.root, "", fs::path(command.pipeline).parent_path());
    if (likely && look.finds_nothing_to_do(*likely)) return ExitCode::succeeded;
  }
  auto loaded = load_pipeline(command.pipeline, command.component_path);
  if (const ExitCode* code = std::get_if<ExitCode>(&loaded)) return *code;
  const spec::PipelineSpec& spec = std::get<spec::PipelineSpec>(loaded);
  Result<fs::path> root = resolve_root(command.root, spec.pipeline_root, fs::path(command.pipeline).parent_path());
  if (!root) return report_error(root.error());
  if (!command.dry_run) {
    Result<> mended = mend_record(artifact::Root(*root), standard_console(clock));
    if (!mended) return report_error(mended.error(), ExitCode::environment);
  }
  if (command.resume) {
    Result<std::optional<metadata::RunRow>> interrupted =
        find_interrupted(*root, command.run_id, spec.name, trace_of(command));
    if (!interrupted) return report_error(interrupted.error());
    if (*interrupted) {
      Result<> same = check_as_begun(command, **interrupted, artifact::Root(*root));
      if (!same) return report_error(same.error());
      ResumeCommand going_on{.run = (*interrupted)->id, .options = command};
      going_on.options.root = root->string();
      for (auto* said :
           {&going_on.options.parameters, &going_on.options.from, &going_on.options.until, &going_on.options.only}) {
        said->clear();  // the run knows its own
      }
      going_on.options.parameters_file.clear();
      return resume(going_on);
    }
  }
  if (look.finds_nothing_to_do(*root)) return ExitCode::succeeded;
  look.tell_why_it_runs();
  Result<Value::Struct> arguments = pipeline_arguments(command, spec, std::move(inherited));
  if (!arguments) return report_error(arguments.error());
  Result<Prepared> prepared = prepare(command, spec, std::move(*arguments), artifact::Root(std::move(*root)));
  if (!prepared) return report_error(prepared.error());

  if (Result<> found = preflight(prepared->plan, {}, said_parameters(command)); !found)
    return report_error(found.error());

  WallTime now = clock.wall();
  Result<std::string> run_id = choose_run_id(command.run_id, spec.name, now);
  if (!run_id) return report_error(run_id.error());
  Interruption interruption;
  if (command.dry_run) {
    return dry_run(
        {.command = command, .prepared = *prepared, .clock = clock, .stop = interruption.stop(), .run_id = *run_id},
        interruption, standard_console(clock));
  }
  return start_run({.command = command,
                    .spec = spec,
                    .prepared = *prepared,
                    .start = describe_start(command, spec, *prepared, *run_id, now),
                    .images = preparing_images(prepared->plan),
                    // A file of parameters that was written meanwhile is not the one that was asked with.
                    .asked = asked == asked_again(command) ? asked : ""},
                   interruption, clock);
}

}  // namespace mlpipe::app
