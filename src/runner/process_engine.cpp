#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>

#include "mlpipe/base/text.hpp"
#include "mlpipe/runner/process.hpp"
#include "mlpipe/sys/machine.hpp"
#include "runner/process_attempt.hpp"
#include "runner/process_marks.hpp"

namespace mlpipe::runner {
namespace fs = std::filesystem;
using sys::StopSignal;

namespace {

// "process" to everything: the machine is the only image there is.
Image the_image() { return {.id = "process", .digest = {}, .entrypoint = {}, .command = {}, .architecture = {}}; }

// One created "container". Its id is its name.
struct Entry {
  explicit Entry(ContainerConfig config_) : config(std::move(config_)) {}

  const ContainerConfig config;
  StopSignal stop;  // asked for by stop(), kill() and remove()
  ContainerState state{.status = ContainerState::Status::created, .error = {}};
  bool taken = false;  // by run(): it runs once
};
// Shared, because remove() may take it from the table while run() still works with it on another thread.
using EntryPtr = std::shared_ptr<Entry>;

ProcessMark mark_of(const ContainerConfig& config) { return {.name = config.name, .labels = config.labels}; }

bool carries(const std::map<std::string, std::string>& labels, const std::map<std::string, std::string>& wanted) {
  for (const auto& [name, value] : wanted) {
    const auto found = labels.find(name);
    if (found == labels.end() || found->second != value) return false;
  }
  return true;
}

Failure no_such(const std::string& id) {
  return fail(ErrorCode::not_found, "process engine: no process is known as {}", printable(id));
}

Result<> check_config(const ContainerConfig& config) {
  if (config.command.empty() && (!config.entrypoint || config.entrypoint->empty())) {
    return fail_with_hint(ErrorCode::invalid_input,
                          fmt::format("process engine: {} has no command to run", config.name),
                          "without a container there is no image to take one from: give the component a command");
  }
  for (const Mount& mount : config.mounts) {
    std::error_code ignored;
    if (!fs::exists(fs::symlink_status(mount.source, ignored))) {
      return fail(ErrorCode::invalid_input, "process engine: {} is not there", mount.source.string());
    }
    if (mount.source != mount.target) {
      return fail_with_hint(
          ErrorCode::invalid_input,
          fmt::format("process engine: cannot show {} as {} without a container", mount.source.string(),
                      mount.target.string()),
          "secrets as files need a container: give them as environment variables, or use --engine docker");
    }
  }
  return {};
}

class ProcessEngine final : public ContainerEngine {
 public:
  ProcessEngine() {
    const sys::MachineInfo machine = sys::machine_info();
    info_ = {.name = "process",
             .address = "this machine",
             .api_version = {},
             .rootless = false,
             .mounts = false,
             .cpus = std::max(1, static_cast<int>(machine.cpus)),
             .memory = machine.memory,
             .gpu_runtime = true};
  }

  const EngineInfo& info() const override { return info_; }
  Result<Image> inspect_image(const std::string& /*reference*/) override { return the_image(); }
  Result<Image> pull_image(const std::string& /*reference*/, const ProgressSink& /*progress*/,
                           const StopSignal& /*stop*/) override {
    return the_image();
  }
  Result<Image> build_image(const BuildRequest& /*request*/, const ProgressSink& /*progress*/,
                            const StopSignal& /*stop*/) override {
    return the_image();
  }

  Result<std::vector<ImageSummary>> list_images(const std::string&) override { return std::vector<ImageSummary>(); }
  Result<> name_image(const std::string&, const std::string&) override { return {}; }
  Result<> remove_image(const std::string&) override { return {}; }

  Result<std::string> create(const ContainerConfig& config) override {
    if (Result<> checked = check_config(config); !checked) return Failure(std::move(checked).error());
    const auto conflict = [&] {
      return fail(ErrorCode::conflict, "process engine: {} exists already", printable(config.name));
    };
    for (const ProcessMark& mark : living_marks()) {
      if (mark == mark_of(config)) return conflict();  // an mlpipe that was killed left it running
    }
    const std::lock_guard lock(mutex_);
    if (!entries_.emplace(config.name, std::make_shared<Entry>(config)).second) return conflict();
    return config.name;
  }

  Result<> run(const std::string& id, LogSink& log, const std::function<void()>& started, StopSignal& stop) override {
    EntryPtr entry = find(id);
    if (!entry) return no_such(id);
    {
      const std::lock_guard lock(mutex_);
      if (entry->taken) return fail(ErrorCode::conflict, "process engine: {} was started before", printable(id));
      entry->taken = true;
      entry->state.status = ContainerState::Status::running;
    }
    try {
      return run_to_end(*entry, log, started, stop);
    } catch (...) {  // memory ran out: the child was killed, and nobody may wait for it for ever
      end(*entry, [](ContainerState& state) { state.exit_code = 128 + SIGKILL; });
      throw;
    }
  }

  // Only what another mlpipe left running can be followed here, and its output and its exit code are lost with its
  // parent: it is ended, so that it does not run beside the attempt that comes after it.
  Result<> follow(const std::string& id, LogSink& /*log*/, StopSignal& /*stop*/) override {
    if (find(id)) return fail(ErrorCode::conflict, "process engine: {} is being run already", printable(id));
    return remove(id);
  }

  Result<ContainerState> inspect(const std::string& id) override {
    if (const EntryPtr entry = find(id)) {
      const std::lock_guard lock(mutex_);
      return entry->state;
    }
    if (leftovers(id).empty()) return no_such(id);
    return ContainerState{.status = ContainerState::Status::running, .started = true, .error = {}};
  }

  Result<> stop(const std::string& id, std::chrono::seconds grace) override {
    return end_by(id, StopSignal::Level::graceful, grace);
  }
  Result<> kill(const std::string& id) override { return end_by(id, StopSignal::Level::kill, {}); }

  Result<> remove(const std::string& id) override {
    if (const EntryPtr entry = find(id)) {
      ask_to_end(*entry, StopSignal::Level::kill);
      wait_for_end(*entry, std::nullopt);
      const std::lock_guard lock(mutex_);
      entries_.erase(id);
    }
    for (const ProcessMark& mark : leftovers(id)) kill_marked(mark);
    return {};
  }

  Result<> start(const std::string& id) override {
    return fail(ErrorCode::invalid_input, "process engine: {} would be a sandbox, which processes have none of",
                printable(id));
  }

  Result<std::vector<ContainerSummary>> list(const std::map<std::string, std::string>& labels) override {
    std::vector<ContainerSummary> found;
    const auto add = [&](const std::string& name, const std::map<std::string, std::string>& its_labels, bool running) {
      if (carries(its_labels, labels))
        found.push_back({.id = name, .name = name, .labels = its_labels, .running = running});
    };
    const std::vector<ProcessMark> living = living_marks();
    const std::lock_guard lock(mutex_);
    for (const auto& [name, entry] : entries_) {
      add(name, entry->config.labels, entry->state.status == ContainerState::Status::running);
    }
    for (const ProcessMark& mark : living) {
      const auto known = entries_.find(mark.name);
      if (known == entries_.end() || known->second->config.labels != mark.labels) add(mark.name, mark.labels, true);
    }
    return found;
  }

 private:
  EntryPtr find(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : found->second;
  }

  static std::vector<ProcessMark> leftovers(const std::string& name) {
    std::vector<ProcessMark> marks = living_marks();
    std::erase_if(marks, [&](const ProcessMark& mark) { return mark.name != name; });
    return marks;
  }

  Result<> run_to_end(Entry& entry, LogSink& log, const std::function<void()>& started, StopSignal& stop) {
    Result<sys::ChildProcess> child = start_process(entry.config);
    if (!child) {
      end(entry, [&](ContainerState& state) {
        state.exit_code = child.error().code == ErrorCode::not_found ? 127 : 126;
        state.error = child.error().message;
      });
      return Failure(std::move(child).error());
    }
    {
      const std::lock_guard lock(mutex_);
      entry.state.started = true;
    }
    started();
    const sys::ExitStatus status = follow_process(*child, entry.config, log, stop, entry.stop);
    end(entry, [&](ContainerState& state) { state.exit_code = status.exit_code; });
    return {};
  }

  template <class Change>
  void end(Entry& entry, Change change) {
    {
      const std::lock_guard lock(mutex_);
      change(entry.state);
      entry.state.status = ContainerState::Status::exited;
    }
    ended_.notify_all();
  }

  void ask_to_end(Entry& entry, StopSignal::Level level) {
    const std::lock_guard lock(mutex_);
    entry.taken = true;  // never run: then it never will
    entry.stop.request(level);
  }

  // Whether it ended in time.
  bool wait_for_end(const Entry& entry, std::optional<std::chrono::seconds> patience) {
    std::unique_lock lock(mutex_);
    const auto is_over = [&] { return entry.state.status != ContainerState::Status::running; };
    if (patience) return ended_.wait_for(lock, *patience, is_over);
    ended_.wait(lock, is_over);
    return true;
  }

  Result<> end_by(const std::string& id, StopSignal::Level level, std::chrono::seconds grace) {
    const EntryPtr entry = find(id);
    if (!entry) {
      const std::vector<ProcessMark> marks = leftovers(id);
      if (marks.empty()) return no_such(id);
      for (const ProcessMark& mark : marks) kill_marked(mark);
      return {};
    }
    ask_to_end(*entry, level);
    if (level == StopSignal::Level::kill || wait_for_end(*entry, grace)) return {};
    ask_to_end(*entry, StopSignal::Level::kill);
    wait_for_end(*entry, std::nullopt);
    return {};
  }

  EngineInfo info_;
  mutable std::mutex mutex_;  // guards entries_ and what they hold, but their configs
  std::condition_variable ended_;
  std::map<std::string, EntryPtr> entries_;
};

}  // namespace

std::unique_ptr<ContainerEngine> make_process_engine() { return std::make_unique<ProcessEngine>(); }

}  // namespace mlpipe::runner
