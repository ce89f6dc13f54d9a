#include "metadata/reading.hpp"

namespace mlpipe::metadata {

Failure damaged(const Database& database, std::string_view what) {
  database.mark_damaged();
  return fail_with_hint(ErrorCode::io, fmt::format("record {}: damaged: {}", database.file().string(), what),
                        k_mend_hint);
}

Result<Value> json_of(const Database& database, std::string_view text, std::string_view what) {
  Result<Value> value = parse_json(text, what);
  if (!value) return damaged(database, value.error().message);
  return value;
}

std::optional<engine::TaskState> task_state_of(std::string_view text) {
  for (std::size_t number = 0; number < engine::k_task_states; ++number) {
    const auto state = static_cast<engine::TaskState>(number);
    if (engine::to_string(state) == text) return state;
  }
  return std::nullopt;
}

std::optional<engine::RunState> run_state_of(std::string_view text) {
  using enum engine::RunState;
  for (const engine::RunState state : {running, succeeded, failed, cancelled}) {
    if (engine::to_string(state) == text) return state;
  }
  return std::nullopt;
}

}  // namespace mlpipe::metadata
