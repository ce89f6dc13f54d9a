#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mlpipe::engine {

// Longest container name we give: readable in `docker ps`, and short enough for every engine.
constexpr std::size_t k_max_container_name = 120;

// The name of the container of one attempt: the same on every call, so that a crashed run finds its containers again, and
// different for different (run, task, attempt). Made of [a-zA-Z0-9_.-] only.
//
//   mlpipe-<run>-<task>-<attempt>          when that can be read in one way only
//   mlpipe-<run>-<task>-<hash>-<attempt>   when the task's path holds a "-" or what Docker does not take (loops have "/"),
//                                          or the name is too long and had to be cut
std::string container_name(std::string_view run_id, std::string_view task_path, int attempt);

}  // namespace mlpipe::engine
