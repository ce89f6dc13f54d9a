#include "runner/attempt.hpp"

#include <poll.h>

#include <algorithm>
#include <optional>

#include "mlpipe/artifact/log_file.hpp"
#include "mlpipe/sys/file.hpp"
#include "runner/attempt_files.hpp"
#include "runner/classify.hpp"
#include "runner/container_config.hpp"
#include "runner/hand_back.hpp"
#include "runner/outputs.hpp"
#include "runner/placeholders.hpp"

namespace mlpipe::runner {
namespace {

using engine::AttemptEnd;
using engine::AttemptResult;

// How long an engine that went away may take to come back before the attempt is given up.
constexpr std::chrono::seconds k_engine_patience{60};

// Writes a container's output to its log. When the connection broke and the engine tells everything from the first byte
// again, what the log has already is passed over.
class FileLogSink final : public LogSink {
 public:
  explicit FileLogSink(artifact::LogWriter& log) : log_(log) {}
  void write(Stream stream, std::span<const std::byte> bytes) override {
    Counts& counts = stream == Stream::err ? err_ : out_;
    std::size_t known = static_cast<std::size_t>(std::min<std::uint64_t>(counts.to_skip, bytes.size()));
    counts.to_skip -= known;
    bytes = bytes.subspan(known);
    if (bytes.empty()) return;
    counts.written += bytes.size();
    log_.write(stream == Stream::err ? artifact::LogStream::err : artifact::LogStream::out, bytes);
  }
  void begin_replay() {
    constexpr std::string_view k_gap = "[mlpipe: the connection to the container engine broke here; some output may be missing]\n";
    log_.write(artifact::LogStream::err, std::as_bytes(std::span(k_gap)));
    for (Counts* counts : {&out_, &err_}) counts->to_skip = counts->written;
  }

 private:
  struct Counts {
    std::uint64_t written = 0;
    std::uint64_t to_skip = 0;
  };
  artifact::LogWriter& log_;
  Counts out_;
  Counts err_;
};

AttemptResult infrastructure(const Error& error) {
  return {.end = AttemptEnd::infrastructure, .message = error.message, .hint = error.hint};
}

// The input does not fit the component or its files: trying again would not help.
AttemptResult unusable(const Error& error) {
  return {.end = AttemptEnd::not_startable, .message = error.message, .hint = error.hint};
}

std::function<bool()> killed(const AttemptStop& stop) {
  return [&stop] { return stop.signal.level() == sys::StopSignal::Level::kill; };
}

std::optional<engine::StopReason> stop_reason(const AttemptStop& stop) {
  if (!stop.signal.requested()) return std::nullopt;
  return stop.reason.load();
}

// ---- Importers ----------------------------------------------------------------------------------------------------

AttemptResult import_artifact(const AttemptJob& job, const AttemptTools& tools, const AttemptStop& stop) {
  const spec::ImporterSpec& importer = *job.component->importer();
  auto lookup = [&job](const spec::Reference& reference) -> Result<Value> {
    if (reference.path.size() >= 2 && reference.path[0] == "inputs") {
      auto found = job.request.inputs.parameters.find(reference.path[1]);
      if (found != job.request.inputs.parameters.end()) return found->second;
      const spec::ParameterSpec* declared = job.component->interface.input_parameter(reference.path[1]);
      if (declared != nullptr && declared->default_value) return *declared->default_value;
    }
    return fail(ErrorCode::invalid_input, "nothing is called {} in an import", to_string(reference));
  };
  Result<std::string> uri = spec::render(importer.uri, lookup);
  if (!uri) return unusable(uri.error());
  Result<engine::Artifact> artifact = tools.store.describe(*uri, [&stop] { return stop.signal.requested(); });
  if (!artifact) {
    if (auto reason = stop_reason(stop)) return classify_error(Error{ErrorCode::cancelled, "", ""}, reason);
    bool retryable = artifact.error().code == ErrorCode::unavailable || artifact.error().code == ErrorCode::io;
    return retryable ? infrastructure(artifact.error()) : unusable(artifact.error());
  }
  artifact->name = "artifact";
  artifact->type = importer.type;
  artifact->metadata = importer.metadata.is_struct() ? importer.metadata : Value(Value::Struct{});
  AttemptResult result;
  result.outputs.artifacts.emplace("artifact", std::move(*artifact));
  return result;
}

// ---- Containers ---------------------------------------------------------------------------------------------------

// One attempt in a container, from its empty folder to its committed outputs.
class ContainerAttempt final {
 public:
  ContainerAttempt(const AttemptJob& job, const AttemptTools& tools, AttemptStop& stop, const std::function<void()>& running)
      : job_(job), tools_(tools), stop_(stop), running_(running), interface_(job.component->interface) {}

  ~ContainerAttempt() { give_sandbox_back(SandboxPool::Condition::good); }

  AttemptReport run() {
    AttemptReport report{.result = run_to_result(), .container_id = {}};
    report.container_id = std::move(container_);
    return report;
  }

 private:
  AttemptResult run_to_result();
  Result<> create_container(ContainerConfig& config);
  Result<> start_and_follow(ContainerConfig& config, LogSink& log);
  Result<ContainerState> final_state(Result<> followed, FileLogSink& log);
  AttemptResult finish(const AttemptFiles& files, AttemptResult result);
  void give_sandbox_back(SandboxPool::Condition condition);

  const AttemptJob& job_;
  const AttemptTools& tools_;
  AttemptStop& stop_;
  const std::function<void()>& running_;
  const spec::Interface& interface_;
  std::string container_;
  std::optional<std::string> sandbox_;
  Image image_;
};

AttemptResult ContainerAttempt::run_to_result() {
  Result<std::string> key = image_key(*job_.component->container(), job_.request.inputs);
  if (!key) return unusable(key.error());
  auto image = tools_.run.images.find(*key);
  if (image == tools_.run.images.end()) {
    Result<Image> found = tools_.engine.inspect_image(*key);  // named by a parameter: not known before
    if (!found) return classify_error(found.error(), stop_reason(stop_));
    image_ = std::move(*found);
  } else {
    image_ = image->second;
  }

  Result<AttemptFiles> files = prepare_files(tools_.run, job_.task_path, job_.request.id.number, tools_.engine.info(),
                                             interface_, job_.settings->user);
  if (!files) return infrastructure(files.error());
  std::map<std::string, std::string> uris;
  for (const spec::ArtifactSpec& output : interface_.output_artifacts) {
    uris.emplace(output.name, tools_.store.uri_of(job_.task_path, output.name, output.file_name));
  }
  Placeholders placeholders(tools_.run, interface_, job_.request.inputs, *files, uris);
  Result<SecretFiles> secrets = read_secrets(job_.settings->secrets, tools_.run, job_.settings->user);
  if (!secrets) return unusable(secrets.error());
  Result<ContainerConfig> config = make_container_config(job_, tools_, *files, placeholders, *secrets, image_);
  if (!config) return unusable(config.error());
  Result<> noted = sys::write_file_atomically(files->tree.attempt(files->number) / "executor_input.json",
                                              to_pretty_json(placeholders.executor_input()), sys::Durable::no);
  if (!noted) return infrastructure(noted.error());

  SystemClock clock;
  Result<std::unique_ptr<artifact::LogWriter>> log =
      artifact::create_log(files->tree.log(files->number), {.secrets = secrets->values()}, clock);
  if (!log) return infrastructure(log.error());
  FileLogSink sink(**log);
  if (Result<> created = create_container(*config); !created) return classify_error(created.error(), stop_reason(stop_));
  Result<> followed = start_and_follow(*config, sink);
  if (!followed && followed.error().code != ErrorCode::unavailable) {
    (*log)->close();
    return classify_error(followed.error(), stop_reason(stop_));
  }
  Result<ContainerState> state = final_state(std::move(followed), sink);
  (*log)->close();
  if (!state) {
    if (state.error().code == ErrorCode::not_found && !stop_.signal.requested()) {
      container_.clear();
      return {.end = AttemptEnd::lost,
              .message = "its container was removed by somebody else while it ran",
              .hint = "nothing but mlpipe may remove containers labelled mlpipe.run"};
    }
    return classify_error(state.error(), stop_reason(stop_));
  }
  AttemptResult result = classify_exit(*state, stop_reason(stop_), config->memory);
  if (result.end == AttemptEnd::user_exit && (result.exit_code == 126 || result.exit_code == 127)) {
    if (std::string said = artifact::last_line(files->tree.log(files->number)); said.starts_with("[FATAL tini")) {
      // The init process could not execute the command: nothing of the user's has run.
      result.end = AttemptEnd::not_startable;
      result.message = "cannot be started: " + said.substr(std::min(said.find("] ") + 2, said.size()));
      result.hint = "check the command and the image: the program must be in it and executable";
    }
  }
  return finish(*files, std::move(result));
}

Result<> ContainerAttempt::create_container(ContainerConfig& config) {
  if (config.network == "bridge" && tools_.sandboxes != nullptr) {
    sandbox_ = tools_.sandboxes->take();
    if (sandbox_) config.network = "container:" + *sandbox_;
  }
  if (stop_.signal.requested()) return fail(ErrorCode::cancelled, "stopped before it was created");
  Result<std::string> created = tools_.engine.create(config);
  if (!created && created.error().code == ErrorCode::conflict) {
    // A container of this attempt's own name, which is made of root, run, task and attempt: the answer to an earlier create
    // was lost on the way. It never started.
    if (Result<> removed = tools_.engine.remove(config.name); !removed) return removed;
    created = tools_.engine.create(config);
  }
  if (!created) return Failure(created.error());
  container_ = std::move(*created);
  return {};
}

Result<> ContainerAttempt::start_and_follow(ContainerConfig& config, LogSink& log) {
  for (;;) {
    bool ran = false;
    Result<> followed;
    {
      StartGate::Ticket ticket(tools_.start_gate);
      auto started = [&] {
        ticket.release();
        ran = true;
        running_();
      };
      followed = tools_.engine.run(container_, log, started, stop_.signal);
    }
    if (followed || ran || !sandbox_ || stop_.signal.requested()) return followed;
    // The sandbox may have died under it: once more, with a network of its own.
    give_sandbox_back(SandboxPool::Condition::broken);
    if (Result<> removed = tools_.engine.remove(container_); !removed) return followed;
    config.network = "bridge";
    Result<std::string> created = tools_.engine.create(config);
    if (!created) return Failure(created.error());
    container_ = std::move(*created);
  }
}

// What inspect says once the container has ended, or the reason why nobody can know. An engine that went away is waited for,
// and a container that still runs then is followed to its end.
Result<ContainerState> ContainerAttempt::final_state(Result<> followed, FileLogSink& log) {
  auto give_up = std::chrono::steady_clock::now() + k_engine_patience;
  std::chrono::milliseconds pause{100};
  for (;;) {
    Result<ContainerState> state = tools_.engine.inspect(container_);
    if (state && state->status == ContainerState::Status::running) {
      log.begin_replay();
      followed = tools_.engine.follow(container_, log, stop_.signal);
      if (followed) continue;
      state = Failure(followed.error());
    }
    if (state || state.error().code != ErrorCode::unavailable) return state;
    if (std::chrono::steady_clock::now() >= give_up) {
      return within(fmt::format("the container engine did not come back within {} s", k_engine_patience.count()),
                    state.error());
    }
    if (stop_.signal.level() == sys::StopSignal::Level::kill) return state;
    pollfd wait{.fd = stop_.signal.fd(), .events = POLLIN, .revents = 0};
    ::poll(&wait, 1, static_cast<int>(pause.count()));
    stop_.signal.acknowledge();
    pause = std::min(pause * 2, std::chrono::milliseconds(2000));
  }
}

AttemptResult ContainerAttempt::finish(const AttemptFiles& files, AttemptResult result) {
  if (job_.settings->user == spec::UserMode::image && !files.host_paths) {
    if (Result<> handed = hand_back(files.work, tools_.run, tools_.engine); !handed && result.end == AttemptEnd::succeeded) {
      return infrastructure(handed.error());
    }
  }
  if (result.end != AttemptEnd::succeeded) return result;
  Result<CollectedOutputs> outputs =
      collect_outputs(interface_, files, tools_.store, job_.task_path, tools_.run.digests, killed(stop_));
  if (!outputs) return classify_error(outputs.error(), stop_reason(stop_));
  if (!outputs->missing.empty()) {
    result.end = AttemptEnd::output_missing;
    result.message = "it ended well, but " + outputs->missing.front();
    for (std::size_t i = 1; i < outputs->missing.size(); ++i) result.message += "; " + outputs->missing[i];
    result.hint = "a task has failed when it does not write every output it declares";
    return result;
  }
  Result<> committed = commit_outputs(interface_, *outputs, files, tools_.store, killed(stop_));
  if (!committed) return classify_error(committed.error(), stop_reason(stop_));
  result.outputs = std::move(outputs->data);
  return result;
}

void ContainerAttempt::give_sandbox_back(SandboxPool::Condition condition) {
  if (sandbox_) tools_.sandboxes->give_back(std::move(*sandbox_), condition);
  sandbox_.reset();
}

}  // namespace

Result<std::string> image_key(const spec::ContainerSpec& container, const engine::TaskData& inputs) {
  if (!container.build_context.empty()) return container.build_context.string();
  return spec::render(container.image, [&inputs](const spec::Reference& reference) -> Result<Value> {
    if (reference.path.size() == 2 && reference.path[0] == "inputs") {
      auto found = inputs.parameters.find(reference.path[1]);
      if (found != inputs.parameters.end()) return found->second;
    }
    return fail(ErrorCode::invalid_input, "an image cannot be named by {}", to_string(reference));
  });
}

AttemptReport run_attempt(const AttemptJob& job, const AttemptTools& tools, AttemptStop& stop,
                          const std::function<void()>& running) try {
  if (job.component->is_importer()) return {.result = import_artifact(job, tools, stop), .container_id = {}};
  return ContainerAttempt(job, tools, stop, running).run();
} catch (const std::exception& unforeseen) {
  // A library threw where it should not, or memory ran out: the attempt fails, the run goes on.
  return {.result = infrastructure({ErrorCode::internal, fmt::format("unforeseen: {}", unforeseen.what()), {}}),
          .container_id = {}};
}

}  // namespace mlpipe::runner
