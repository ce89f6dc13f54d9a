// What containers cost without mlpipe: the calls that one attempt needs (create, attach, wait, start, drain, inspect,
// remove) straight to the engine, in a chain or a fan-out. Prints the seconds it took.
//
//   bare_engine --image IMAGE --count N --parallel P --network none|bridge|host|sandbox [COMMAND...]
//
// "sandbox": every lane has an idle container made before the clock starts, whose network its containers join.
#include <fmt/core.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "mlpipe/runner/docker.hpp"

namespace {

using mlpipe::runner::ContainerConfig;
using mlpipe::runner::ContainerEngine;

struct NoLog final : mlpipe::runner::LogSink {
  void write(mlpipe::runner::Stream, std::span<const std::byte>) override {}
};

template <class T>
T expect(mlpipe::Result<T> result) {
  if (!result) {
    fmt::print(stderr, "bare_engine: {}\n", result.error().message);
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

struct Options {
  std::string image = "mlpipe/base:bookworm";
  std::string network = "none";
  int count = 20;
  int parallel = 1;
  std::vector<std::string> command;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    if (!word.starts_with("--") || i + 1 == argc) {
      options.command.push_back(word);
      continue;
    }
    std::string value = argv[++i];
    if (word == "--image") options.image = value;
    if (word == "--network") options.network = value;
    if (word == "--count") options.count = std::atoi(value.c_str());
    if (word == "--parallel") options.parallel = std::atoi(value.c_str());
  }
  if (options.command.empty()) options.command = {"true"};
  return options;
}

void one_container(ContainerEngine& engine, const ContainerConfig& config) {
  std::string id = expect(engine.create(config));
  NoLog log;
  mlpipe::sys::StopSignal never;
  expect(engine.run(
      id, log, [] {}, never));
  if (expect(engine.inspect(id)).exit_code != 0) std::exit(1);
  expect(engine.remove(id));
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  auto engine = expect(mlpipe::runner::connect_docker(mlpipe::runner::docker_search_of_process()));
  const std::string image = expect(engine->inspect_image(options.image)).id;
  std::vector<std::string> sandboxes;
  for (int i = 0; options.network == "sandbox" && i < options.parallel; ++i) {
    ContainerConfig idle;
    idle.image = image;
    idle.entrypoint = {"sleep"};
    idle.command = {"3600"};
    sandboxes.push_back(expect(engine->create(idle)));
    expect(engine->start(sandboxes.back()));
  }
  std::atomic<int> left{options.count};
  auto lane = [&](int number) {
    ContainerConfig config;
    config.image = image;
    config.entrypoint = {options.command.front()};
    config.command.assign(options.command.begin() + 1, options.command.end());
    config.network =
        options.network == "sandbox" ? "container:" + sandboxes[static_cast<std::size_t>(number)] : options.network;
    while (left-- > 0) one_container(*engine, config);
  };
  auto begin = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> lanes;
    for (int i = 0; i < options.parallel; ++i) lanes.emplace_back(lane, i);
  }
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  for (const std::string& id : sandboxes) expect(engine->remove(id));
  fmt::print("{:.4f}\n", seconds);
}
