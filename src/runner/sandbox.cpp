#include "runner/sandbox.hpp"

#include <algorithm>

#include "mlpipe/sys/random.hpp"
#include "runner/helper_image.hpp"

namespace mlpipe::runner {

SandboxPool::SandboxPool(ContainerEngine& engine, const RunContext& run) : engine_(engine), run_(run) {
  maker_ = std::thread([this] { make_wanted(); });
}

SandboxPool::~SandboxPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  maker_.join();
  std::vector<std::thread> removers;
  for (const std::string& id : all_) {
    removers.emplace_back([this, id] { (void)engine_.remove(id); });  // what stays behind carries our labels
  }
  for (std::thread& remover : removers) remover.join();
}

void SandboxPool::want(std::size_t count) {
  {
    std::lock_guard lock(mutex_);
    wanted_ = std::min(count, static_cast<std::size_t>(run_.concurrent_tasks));
  }
  changed_.notify_all();
}

std::optional<std::string> SandboxPool::take() {
  std::lock_guard lock(mutex_);
  if (free_.empty()) return std::nullopt;
  std::string id = std::move(free_.back());
  free_.pop_back();
  return id;
}

void SandboxPool::give_back(std::string id, Condition condition) {
  std::lock_guard lock(mutex_);
  if (condition == Condition::good) {
    free_.push_back(std::move(id));
  } else {
    broken_ = true;  // one died unasked: the engine, or somebody, does not like them
  }
}

void SandboxPool::make_wanted() {
  for (int number = 1;; ++number) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || (!broken_ && all_.size() < wanted_); });
      if (stopping_) return;
    }
    Result<std::string> id = make_one(number);
    std::lock_guard lock(mutex_);
    if (id) {
      all_.push_back(*id);
      free_.push_back(std::move(*id));
    } else {
      broken_ = true;  // tasks get networks of their own instead: slower, nothing else
    }
  }
}

Result<std::string> SandboxPool::make_one(int number) {
  Result<std::string> image = helper_image(engine_);
  if (!image) return image;
  ContainerConfig config;
  config.name = "mlpipe-sandbox-" + sys::random_hex(12);
  config.labels = {
      {"mlpipe.root", run_.root.string()}, {"mlpipe.run", run_.run_id}, {"mlpipe.sandbox", std::to_string(number)}};
  config.image = *image;
  config.command = {"pause"};
  Result<std::string> id = engine_.create(config);
  if (!id) return id;
  if (Result<> started = engine_.start(*id); !started) {
    (void)engine_.remove(*id);
    return Failure(started.error());
  }
  return id;
}

}  // namespace mlpipe::runner
