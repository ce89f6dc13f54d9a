#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mlpipe::engine {

// Longest container name we give: readable in `docker ps`, and short enough for every engine.
constexpr std::size_t k_max_container_name = 120;

// The name of the container of one attempt, `mlpipe-<run>-<task>-<hash>-<attempt>`: the same on every call, so that a crashed
// run finds its containers again, and different for different (root, run, task, attempt). `root` is the pipeline root's path.
// Made of [a-zA-Z0-9_.-] only; run and task are cut where the name would get too long.
std::string container_name(std::string_view root, std::string_view run_id, std::string_view task_path, int attempt);

}  // namespace mlpipe::engine
