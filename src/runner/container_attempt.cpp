#include "runner/container_attempt.hpp"

#include <poll.h>

#include <algorithm>

#include "mlpipe/base/text.hpp"
#include "mlpipe/runner/images.hpp"
#include "mlpipe/sys/file.hpp"
#include "runner/classify.hpp"
#include "runner/container_config.hpp"
#include "runner/hand_back.hpp"
#include "runner/outputs.hpp"
#include "runner/placeholders.hpp"

namespace mlpipe::runner {

using engine::AttemptEnd;
using engine::AttemptResult;

namespace {

// How long an engine that went away may take to come back before the attempt is given up.
constexpr std::chrono::seconds k_engine_patience{60};

}  // namespace

void FileLogSink::write(Stream stream, std::span<const std::byte> bytes) {
  Counts& counts = stream == Stream::err ? err_ : out_;
  std::size_t known = static_cast<std::size_t>(std::min<std::uint64_t>(counts.to_skip, bytes.size()));
  counts.to_skip -= known;
  bytes = bytes.subspan(known);
  if (bytes.empty()) return;
  counts.written += bytes.size();
  log_.write(stream == Stream::err ? artifact::LogStream::err : artifact::LogStream::out, bytes);
}

void FileLogSink::begin_replay() {
  note("the connection to the container engine broke here; some output may be missing");
  for (Counts* counts : {&out_, &err_}) counts->to_skip = counts->written;
}

void FileLogSink::note(std::string_view line) {
  const std::string text = fmt::format("[mlpipe: {}]\n", line);
  log_.write(artifact::LogStream::err, std::as_bytes(std::span(text)));
}

AttemptResult infrastructure(const Error& error) {
  return {.end = AttemptEnd::infrastructure, .message = error.message, .hint = error.hint};
}

AttemptResult unusable(const Error& error) {
  return {.end = AttemptEnd::not_startable, .message = error.message, .hint = error.hint};
}

std::optional<engine::StopReason> stop_reason(const AttemptStop& stop) {
  if (!stop.signal.requested()) return std::nullopt;
  return stop.reason.load();
}

AttemptResult ContainerAttempt::run_to_result() {
  Result<std::string> key = image_key(*job_.component, job_.request.inputs);
  if (!key) return unusable(key.error());
  auto image = tools_.run.images.find(*key);
  if (image == tools_.run.images.end()) {
    // Named by what another task gave: not known before.
    const auto quietly = [](std::string_view) {};
    Result<Image> found = find_or_pull(*key, job_.settings->pull, tools_.engine, quietly, stop_.signal);
    if (!found) return classify_error(found.error(), stop_reason(stop_));
    image_ = std::move(*found);
  } else {
    image_ = image->second;
  }

  if (job_.request.take_up) {
    if (std::optional<AttemptResult> taken_up = take_up(*job_.request.take_up)) return *std::move(taken_up);
  }
  Result<AttemptFiles> files = prepare_files(tools_.run, job_.task_path, job_.request.id.number, tools_.engine.info(),
                                             interface_, job_.settings->user);
  if (!files) return infrastructure(files.error());
  std::map<std::string, std::string> uris;
  for (const spec::ArtifactSpec& output : interface_.output_artifacts) {
    uris.emplace(output.name, tools_.store.uri_of(job_.task_path, output.name, output.file_name));
  }
  Placeholders placeholders(tools_.run, interface_, job_.request.inputs, *files, uris);
  Result<SecretFiles> secrets = read_secrets(job_.settings->secrets, job_.settings->user);
  if (!secrets) return unusable(secrets.error());
  secrets_ = secrets->values();
  Result<ContainerConfig> config = make_container_config(job_, tools_, *files, placeholders, *secrets, image_);
  if (!config) return unusable(config.error());
  Result<> noted = sys::write_file_atomically(files->tree.attempt(files->number) / "executor_input.json",
                                              to_pretty_json(placeholders.executor_input()), sys::Durable::no);
  if (!noted) return infrastructure(noted.error());

  SystemClock clock;
  Result<std::unique_ptr<artifact::LogWriter>> log =
      artifact::create_log(files->tree.log(files->number), {.secrets = secrets_}, clock);
  if (!log) return infrastructure(log.error());
  FileLogSink sink(**log);
  if (Result<> passed = tools_.run.failpoint.pass("attempt.prepared"); !passed) return infrastructure(passed.error());
  if (Result<> created = create_container(*config); !created)
    return classify_error(created.error(), stop_reason(stop_));
  if (Result<> passed = tools_.run.failpoint.pass("attempt.created"); !passed) return infrastructure(passed.error());
  Result<> followed = start_and_follow(*config, sink);
  if (!followed && followed.error().code != ErrorCode::unavailable) {
    (*log)->close();
    return classify_error(followed.error(), stop_reason(stop_));
  }
  Result<ContainerState> state = final_state(std::move(followed), sink);
  (*log)->close();
  if (Result<> passed = tools_.run.failpoint.pass("attempt.ended"); !passed) return infrastructure(passed.error());
  if (!state) {
    if (state.error().code == ErrorCode::not_found && !stop_.signal.requested()) return lost_container();
    return classify_error(state.error(), stop_reason(stop_));
  }
  return finish(*files, classify_exit(*state, stop_reason(stop_), config->memory));
}

// The init process could not execute the command: nothing of the user's has run. Docker's init (tini) says
// "[FATAL tini (7)] exec nosuch failed: No such file or directory" and exits with 127 or 126, Podman's
// "ERROR (catatonit:2): failed to exec pid1: No such file or directory" and exits with 1.
void ContainerAttempt::tell_unstartable(const AttemptFiles& files, AttemptResult& result) {
  if (result.end != AttemptEnd::user_exit) return;
  const bool of_catatonit = result.exit_code == 1;
  if (!of_catatonit && result.exit_code != 126 && result.exit_code != 127) return;
  const std::string said = artifact::last_line(files.tree.log(files.number));
  const std::string_view mark = of_catatonit ? "failed to exec pid1: " : "] ";
  const std::size_t at = said.find(mark);
  if (!said.starts_with(of_catatonit ? "ERROR (catatonit:" : "[FATAL tini") || at == std::string::npos) return;
  const std::string why = said.substr(at + mark.size());
  if (of_catatonit) result.exit_code = why.starts_with("No such file") ? 127 : 126;
  result.end = AttemptEnd::not_startable;
  result.message = "cannot be started: " + why;
  result.hint = "check the command and the image: the program must be in it and executable";
}

// What `call` gives; waits for an engine that is away to come back.
template <typename Call>
std::invoke_result_t<Call> ContainerAttempt::patiently(Call call) {
  auto give_up = std::chrono::steady_clock::now() + k_engine_patience;
  std::chrono::milliseconds pause{100};
  for (;;) {
    auto answer = call();
    if (answer || answer.error().code != ErrorCode::unavailable) return answer;
    if (std::chrono::steady_clock::now() >= give_up) {
      return within(fmt::format("the container engine did not come back within {} s", k_engine_patience.count()),
                    answer.error());
    }
    if (stop_.signal.level() == sys::StopSignal::Level::kill) return answer;
    pollfd wait{.fd = stop_.signal.fd(), .events = POLLIN, .revents = 0};
    ::poll(&wait, 1, static_cast<int>(pause.count()));
    stop_.signal.acknowledge();
    pause = std::min(pause * 2, std::chrono::milliseconds(2000));
  }
}

Result<> ContainerAttempt::create_container(ContainerConfig& config) {
  if (config.network == "bridge" && tools_.sandboxes != nullptr) {
    sandbox_ = tools_.sandboxes->take();
    if (sandbox_) config.network = "container:" + *sandbox_;
  }
  Result<std::string> created = patiently([&]() -> Result<std::string> {
    if (stop_.signal.requested()) return fail(ErrorCode::cancelled, "stopped before it was created");
    return tools_.engine.create(config);
  });
  if (!created && created.error().code == ErrorCode::conflict) {
    // A container of this attempt's own name, which is made of root, run, task and attempt: the answer to an earlier create
    // was lost on the way. It never started.
    if (Result<> removed = tools_.engine.remove(config.name); !removed) return removed;
    created = tools_.engine.create(config);
  }
  if (!created) {
    Error error = std::move(created).error();
    if (error.code == ErrorCode::not_found && error.message.find("such image") != std::string::npos) {
      error.hint = fmt::format(
          "somebody removed its image while the run went on; `mlpipe resume {} --retry-failed` gets it "
          "ready again",
          tools_.run.run_id);
    }
    return Failure(std::move(error));
  }
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
        (void)tools_.run.failpoint.pass("attempt.started");
        running_(std::chrono::milliseconds(0));
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

// What inspect says once the container has ended, or the reason why nobody can know. An engine that went away is waited
// for, and a container that still runs then is followed to its end.
Result<ContainerState> ContainerAttempt::final_state(Result<> followed, FileLogSink& log) {
  for (;;) {
    Result<ContainerState> state = find_container();
    if (!state || state->status != ContainerState::Status::running) return state;
    log.begin_replay();
    followed = tools_.engine.follow(container_, log, stop_.signal);
    if (!followed && followed.error().code != ErrorCode::unavailable) return Failure(followed.error());
  }
}

Result<ContainerState> ContainerAttempt::find_container() {
  return patiently([this] { return tools_.engine.inspect(container_); });
}

AttemptResult ContainerAttempt::finish(const AttemptFiles& files, AttemptResult result) {
  tell_unstartable(files, result);
  if (job_.settings->user == spec::UserMode::image && !files.host_paths) {
    if (Result<> handed = hand_back(files.work, tools_.run, tools_.engine);
        !handed && result.end == AttemptEnd::succeeded) {
      return infrastructure(handed.error());
    }
  }
  if (result.end != AttemptEnd::succeeded) return result;
  Result<CollectedOutputs> outputs =
      collect_outputs(interface_, files, tools_.store, job_.task_path, tools_.run.digests, killed());
  if (!outputs) return classify_error(outputs.error(), stop_reason(stop_));
  if (!outputs->missing.empty()) {
    result.end = AttemptEnd::output_missing;
    result.message = "it ended well, but " + outputs->missing.front();
    for (std::size_t i = 1; i < outputs->missing.size(); ++i) result.message += "; " + outputs->missing[i];
    result.hint = !outputs->hint.empty()
                      ? outputs->hint
                      : "a task has failed when an output it declares is missing, or is not what it says";
    return result;
  }
  if (const std::string output = output_with_secret(outputs->data); !output.empty()) {
    result.end = AttemptEnd::output_missing;
    result.message = fmt::format("it ended well, but output \"{}\" holds a secret, and outputs are recorded", output);
    result.hint = "do not put secrets out; give each task that needs one `secrets:` of its own";
    return result;
  }
  if (Result<> passed = tools_.run.failpoint.pass("attempt.collected"); !passed) return infrastructure(passed.error());
  Result<> committed = commit_outputs(interface_, *outputs, files, tools_.store, tools_.run.failpoint, killed());
  if (!committed) return classify_error(committed.error(), stop_reason(stop_));
  if (Result<> passed = tools_.run.failpoint.pass("attempt.committed"); !passed) return infrastructure(passed.error());
  result.outputs = std::move(outputs->data);
  return result;
}

std::string ContainerAttempt::output_with_secret(const engine::TaskData& outputs) const {
  constexpr std::size_t k_least = 8;  // "1" or "yes" may be a secret and a value that has nothing to do with it
  for (const std::string& secret : secrets_) {
    const std::string_view word = trim(secret);
    if (word.size() < k_least) continue;
    for (const auto& [name, value] : outputs.parameters) {
      if (parameter_text(value).find(word) != std::string::npos) return name;
    }
  }
  return {};
}

AttemptResult ContainerAttempt::lost_container() {
  container_.clear();
  return {.end = AttemptEnd::lost,
          .message = "its container was removed by somebody else while it ran",
          .hint = "nothing but mlpipe may remove containers labelled mlpipe.run"};
}

void ContainerAttempt::give_sandbox_back(SandboxPool::Condition condition) {
  if (sandbox_) tools_.sandboxes->give_back(std::move(*sandbox_), condition);
  sandbox_.reset();
}

}  // namespace mlpipe::runner
