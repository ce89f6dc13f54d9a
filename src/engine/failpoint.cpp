#include "mlpipe/engine/failpoint.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>
#include <utility>

#include "mlpipe/base/text.hpp"
#include "mlpipe/engine/state.hpp"

namespace mlpipe::engine {
namespace {

constexpr std::array<std::pair<std::string_view, Failpoint::Action>, 4> k_actions{{
    {"kill9", Failpoint::Action::kill9},
    {"abort", Failpoint::Action::abort},
    {"eio", Failpoint::Action::eio},
    {"sleep", Failpoint::Action::sleep},
}};

}  // namespace

Result<> Failpoint::pass(std::string_view here) const {
  if (action == Action::none || here != name) return {};
  if (passes_left && passes_left->fetch_sub(1) != 1) return {};
  switch (action) {
    case Action::none: break;
    case Action::kill9: std::raise(SIGKILL); break;
    case Action::abort: std::abort();
    case Action::eio: return fail(ErrorCode::io, "failpoint {}: Input/output error", name);
    case Action::sleep: std::this_thread::sleep_for(std::chrono::minutes(1)); break;
  }
  return {};
}

std::vector<std::string> failpoint_names() {
  std::vector<std::string> names;
  for (std::string_view place : {"before_record", "after_record", "after_effects"}) {
    for (std::size_t state = 0; state < k_task_states; ++state) {
      if (static_cast<TaskState>(state) == TaskState::waiting) continue;  // where tasks begin: nothing leads there
      names.push_back(fmt::format("{}.{}", place, to_string(static_cast<TaskState>(state))));
    }
    names.emplace_back(place);
  }
  names.emplace_back("before_finish");
  names.emplace_back("after_finish");
  for (std::string_view place :
       {"prepared", "created", "started", "ended", "collected", "half_committed", "committed"}) {
    names.push_back(fmt::format("attempt.{}", place));
  }
  return names;
}

Result<Failpoint> parse_failpoint(std::string_view text, std::span<const std::string> names) {
  if (text.empty()) return Failpoint{};
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::string name(text.substr(0, colon));
  std::string_view word = text.substr(std::min(colon + 1, text.size()));
  std::shared_ptr<std::atomic<int>> passes;
  if (const std::size_t at = word.find('@'); at != std::string_view::npos) {
    const int count = std::atoi(std::string(word.substr(at + 1)).c_str());
    if (count < 1) return fail(ErrorCode::invalid_input, "failpoint '{}': after '@' stands a number from 1", text);
    passes = std::make_shared<std::atomic<int>>(count);
    word = word.substr(0, at);
  }
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    std::optional<std::string> near = closest(name, names);
    return fail(ErrorCode::invalid_input, "failpoint '{}': there is no place '{}'{}", text, name,
                near ? fmt::format("; did you mean '{}'?", *near) : "");
  }
  for (const auto& [action_word, action] : k_actions) {
    if (action_word == word) return Failpoint{name, action, std::move(passes)};
  }
  return fail(ErrorCode::invalid_input, "failpoint '{}': the action is one of kill9, abort, eio, sleep", text);
}

}  // namespace mlpipe::engine
