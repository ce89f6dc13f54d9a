#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "mlpipe/runner/container_engine.hpp"

namespace mlpipe::test {

// A container engine in memory. What a container does is a function that the test gives by image; it may write below the
// sources of the container's mounts, as a real one would through their targets.
class FakeContainerEngine final : public runner::ContainerEngine {
 public:
  struct Behaviour {
    int exit_code = 0;
    bool oom_killed = false;
    std::string output;
    std::function<void(const runner::ContainerConfig&)> body;  // runs while the container does
    bool until_stopped = false;                                // runs until it is asked to stop; then exits 143 or 137
    std::optional<Error> start_error;                          // run() gives this instead of starting
    bool removed_by_stranger = false;                          // gone when it is inspected
    int engine_away = 0;                                       // so many inspects after the run answer unavailable
  };
  struct Container {
    runner::ContainerConfig config;
    runner::ContainerState state;
    int away = 0;
    std::string stored_output = {};  // that the engine kept of it
    int ends_with = 0;               // when it is followed to its end
  };

  // A container that an earlier mlpipe made, found by its name.
  void leave(runner::ContainerConfig config, runner::ContainerState state, std::string output = {}, int ends_with = 0) {
    std::lock_guard lock(mutex);
    const std::string id = config.name;
    containers_[id] = Container{.config = std::move(config),
                                .state = std::move(state),
                                .stored_output = std::move(output),
                                .ends_with = ends_with};
  }

  FakeContainerEngine() {
    info_.name = "fake";
    info_.mounts = true;
  }

  // ---- What tests say and ask ----
  std::map<std::string, Behaviour> behaviours;  // by image id
  std::map<std::string, runner::Image> images;  // by reference
  std::map<std::string, Error> pull_errors;
  std::vector<runner::ContainerConfig> created;
  std::vector<std::string> removed, pulled, built, started, removed_images;
  std::vector<runner::ContainerSummary> strangers;  // left by others: what list() finds
  std::set<std::string> images_in_use;              // references that remove_image() refuses
  std::optional<Error> create_error;
  int away_at_create = 0;  // so many creates answer unavailable
  bool conflict_once = false;
  std::function<void()> unattended_start = [] {};  // of containers that nobody follows
  runner::EngineInfo info_;
  mutable std::mutex mutex;

  void add_image(const std::string& reference, Behaviour behaviour) {
    std::string id = "sha256:" + reference;
    images[reference] = runner::Image{.id = id, .digest = "repo@sha256:" + reference};
    behaviours[id] = std::move(behaviour);
  }
  std::size_t alive() const {
    std::lock_guard lock(mutex);
    return containers_.size();
  }

  // ---- ContainerEngine ----
  const runner::EngineInfo& info() const override { return info_; }

  Result<runner::Image> inspect_image(const std::string& reference) override {
    std::lock_guard lock(mutex);
    auto found = images.find(reference);
    if (found == images.end()) return fail(ErrorCode::not_found, "no image {}", reference);
    return found->second;
  }
  Result<runner::Image> pull_image(const std::string& reference, const runner::ProgressSink& progress,
                                   const sys::StopSignal&) override {
    {
      std::lock_guard lock(mutex);
      pulled.push_back(reference);
      if (auto error = pull_errors.find(reference); error != pull_errors.end()) return Failure(error->second);
      images[reference] = runner::Image{.id = "sha256:" + reference};
    }
    progress("pulled " + reference);
    return inspect_image(reference);
  }
  Result<runner::Image> build_image(const runner::BuildRequest& request, const runner::ProgressSink&,
                                    const sys::StopSignal&) override {
    {
      std::lock_guard lock(mutex);
      built.push_back(request.tag);
      images[request.tag] = runner::Image{.id = "sha256:" + request.tag};
    }
    return inspect_image(request.tag);
  }

  Result<std::vector<runner::ImageSummary>> list_images(const std::string& prefix) override {
    std::lock_guard lock(mutex);
    std::vector<runner::ImageSummary> found;
    for (const auto& [reference, image] : images) {
      if (reference.starts_with(prefix)) found.push_back({.id = image.id, .reference = reference, .bytes = 1000});
    }
    return found;
  }
  Result<> name_image(const std::string& reference, const std::string& name) override {
    std::lock_guard lock(mutex);
    const auto found = images.find(reference);
    if (found == images.end()) return fail(ErrorCode::not_found, "no image {}", reference);
    images[name] = found->second;
    return {};
  }
  Result<> remove_image(const std::string& reference) override {
    std::lock_guard lock(mutex);
    if (images_in_use.contains(reference)) return fail(ErrorCode::conflict, "image {} is in use", reference);
    removed_images.push_back(reference);
    images.erase(reference);
    return {};
  }

  Result<std::string> create(const runner::ContainerConfig& config) override {
    std::lock_guard lock(mutex);
    if (create_error) return Failure(*create_error);
    if (away_at_create > 0 && away_at_create-- > 0) return fail(ErrorCode::unavailable, "no engine");
    if (std::exchange(conflict_once, false)) return fail(ErrorCode::conflict, "name {} is taken", config.name);
    created.push_back(config);
    std::string id = "c" + std::to_string(created.size());
    containers_[id] = Container{.config = config, .state = {.status = runner::ContainerState::Status::created}};
    return id;
  }
  Result<> run(const std::string& id, runner::LogSink& log, const std::function<void()>& on_start,
               sys::StopSignal& stop) override {
    Behaviour behaviour;
    runner::ContainerConfig config;
    {
      std::lock_guard lock(mutex);
      Container& container = containers_.at(id);
      config = container.config;
      behaviour = behaviours[config.image];
      if (config.network.starts_with("container:") && !containers_.contains(config.network.substr(10))) {
        return fail(ErrorCode::conflict, "cannot join network of a non running container");
      }
      if (behaviour.start_error) return Failure(*behaviour.start_error);
      container.state.started = true;
      container.state.status = runner::ContainerState::Status::running;
    }
    on_start();
    if (!behaviour.output.empty()) log.write(runner::Stream::out, std::as_bytes(std::span(behaviour.output)));
    if (behaviour.body) behaviour.body(config);
    int exit_code = behaviour.exit_code;
    while (behaviour.until_stopped && !stop.requested()) std::this_thread::yield();
    if (behaviour.until_stopped) exit_code = stop.level() == sys::StopSignal::Level::kill ? 137 : 143;
    std::lock_guard lock(mutex);
    if (behaviour.removed_by_stranger) {
      containers_.erase(id);
      return {};
    }
    Container& container = containers_.at(id);
    container.state.status = runner::ContainerState::Status::exited;
    container.state.exit_code = exit_code;
    container.state.oom_killed = behaviour.oom_killed;
    container.away = behaviour.engine_away;
    if (behaviour.engine_away > 0) return fail(ErrorCode::unavailable, "the connection was lost");
    return {};
  }
  Result<> follow(const std::string& id, runner::LogSink& log, sys::StopSignal&) override {
    std::lock_guard lock(mutex);
    const auto found = containers_.find(id);
    if (found == containers_.end()) return fail(ErrorCode::not_found, "no container {}", id);
    Container& container = found->second;
    if (!container.stored_output.empty()) {
      log.write(runner::Stream::out, std::as_bytes(std::span(container.stored_output)));
    }
    if (container.state.status == runner::ContainerState::Status::running) {
      container.state.status = runner::ContainerState::Status::exited;
      container.state.exit_code = container.ends_with;
    }
    return {};
  }
  Result<runner::ContainerState> inspect(const std::string& id) override {
    std::lock_guard lock(mutex);
    auto found = containers_.find(id);
    if (found == containers_.end()) return fail(ErrorCode::not_found, "no container {}", id);
    if (found->second.away > 0) {
      --found->second.away;
      return fail(ErrorCode::unavailable, "no engine");
    }
    return found->second.state;
  }
  Result<> stop(const std::string&, std::chrono::seconds) override { return {}; }
  Result<> kill(const std::string&) override { return {}; }
  Result<> remove(const std::string& id) override {
    std::lock_guard lock(mutex);
    // As Podman does it: the network goes last.
    const bool joined = std::ranges::any_of(
        containers_, [&id](const auto& other) { return other.second.config.network == "container:" + id; });
    if (joined) return fail(ErrorCode::io, "container {} has dependent containers", id);
    removed.push_back(id);
    containers_.erase(id);
    std::erase_if(strangers, [&](const runner::ContainerSummary& container) { return container.id == id; });
    return {};
  }
  Result<> start(const std::string& id) override {
    std::lock_guard lock(mutex);
    started.push_back(id);
    unattended_start();
    return {};
  }
  Result<std::vector<runner::ContainerSummary>> list(const std::map<std::string, std::string>& labels) override {
    std::lock_guard lock(mutex);
    std::vector<runner::ContainerSummary> found;
    for (const runner::ContainerSummary& container : strangers) {
      const bool fits = std::all_of(labels.begin(), labels.end(), [&](const auto& label) {
        const auto its = container.labels.find(label.first);
        return its != container.labels.end() && its->second == label.second;
      });
      if (fits) found.push_back(container);
    }
    return found;
  }

 private:
  std::map<std::string, Container> containers_;
};

}  // namespace mlpipe::test
