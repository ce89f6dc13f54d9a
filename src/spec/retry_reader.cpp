#include "spec/retry_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "spec/node_reader.hpp"

namespace mlpipe::spec {
namespace {

constexpr double k_largest_memory_factor = 64;

const std::vector<std::string> k_causes = {"exit", "signal", "oom", "timeout", "missing_output"};  // as in RetryCause

bool has(const RetryOn& on, RetryCause cause) {
  return std::find(on.causes.begin(), on.causes.end(), cause) != on.causes.end();
}

void read_cause(YamlNode node, RetryOn& on, Mistakes& mistakes) {
  if (Result<Value> number = plain_value(node.text()); node.is_plain() && number && number->is_integer()) {
    return mistakes.error(node.where(), fmt::format("`on` cannot be {}", ticked(node.text())),
                          fmt::format("an exit code is written exit: [{}]", node.text()));
  }
  std::optional<std::size_t> index = read_choice(node, "`on`", k_causes, mistakes);
  if (!index) return;
  auto cause = static_cast<RetryCause>(*index);
  if (has(on, cause)) return mistakes.error(node.where(), fmt::format("{} is here twice", ticked(node.text())));
  on.causes.push_back(cause);
}

void read_exit_code(YamlNode node, RetryOn& on, Mistakes& mistakes) {
  auto code = read_integer(node, "an exit code", 1, 255, mistakes);
  if (!code) return;
  if (std::find(on.exit_codes.begin(), on.exit_codes.end(), *code) != on.exit_codes.end()) {
    return mistakes.error(node.where(), fmt::format("exit code {} is here twice", *code));
  }
  on.exit_codes.push_back(static_cast<int>(*code));
}

// `exit: 75` or `exit: [1, 75]`.
void read_exit_codes(YamlNode node, RetryOn& on, Mistakes& mistakes) {
  static const std::vector<std::string> k_keys = {"exit"};
  if (!node.has_children()) mistakes.error(node.where(), "`on` has an empty mapping", "write exit: [1, 75]");
  for (YamlEntry entry : node.entries()) {
    if (entry.key.text() != "exit") {
      unknown_key(entry.key, "`on`", k_keys, mistakes);
    } else if (entry.value.is_sequence()) {
      if (!entry.value.has_children())
        mistakes.error(entry.value.where(), "`exit` names no exit code", "write exit: [1, 75]");
      for (YamlNode item : entry.value.items()) read_exit_code(item, on, mistakes);
    } else {
      read_exit_code(entry.value, on, mistakes);
    }
  }
}

std::optional<RetryOn> read_on(YamlNode node, Mistakes& mistakes) {
  std::size_t before = mistakes.errors();
  RetryOn on;
  if (node.is_scalar()) {
    read_cause(node, on, mistakes);
  } else if (node.is_mapping()) {
    mistakes.error(node.where(), "`on` wants a list, not a mapping", "write on: [oom, exit: [1, 75]]");
  } else if (expect_sequence(node, "`on`", mistakes)) {
    if (!node.has_children()) {
      mistakes.error(node.where(), "`on` names nothing to try again after",
                     "leave `on` out for any failure, or write `limit: 0` for none");
    }
    for (YamlNode item : node.items()) {
      if (item.is_mapping()) {
        read_exit_codes(item, on, mistakes);
      } else {
        read_cause(item, on, mistakes);
      }
    }
    if (has(on, RetryCause::exit) && !on.exit_codes.empty()) {
      mistakes.error(node.where(), "`exit` alone means any exit code, so `exit: [...]` beside it says nothing",
                     "write one of them");
    }
  }
  if (mistakes.errors() > before) return std::nullopt;
  return on;
}

// `x2`, `x1.5`.
std::optional<double> read_memory_factor(YamlNode node, Mistakes& mistakes) {
  std::string_view text = node.text();
  if (node.is_scalar() && text.starts_with('x')) {
    double factor = 0;
    auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), factor, std::chars_format::fixed);
    bool is_whole = error == std::errc{} && end == text.data() + text.size();
    if (is_whole && factor > 1 && factor <= k_largest_memory_factor) return factor;
  }
  std::string got = node.is_scalar() ? ticked(text) : std::string(node.kind_name());
  mistakes.error(
      node.where(),
      fmt::format("`memory` of `retry` wants a factor over x1, at most x{}, not {}", k_largest_memory_factor, got),
      "write x2 or x1.5: so many times the memory after each out-of-memory kill");
  return std::nullopt;
}

bool tries_again_after_oom(const RetryPolicy& retry) { return !retry.on || has(*retry.on, RetryCause::oom); }

struct Said {
  std::optional<YamlNode> limit, on, memory;
};

Said said_in(YamlNode retry) { return {retry.find("limit"), retry.find("on"), retry.find("memory")}; }

void warn_of_no_limit(const Said& said, Mistakes& mistakes) {
  mistakes.warning((said.on ? *said.on : *said.memory).where(), "`retry` has no limit, so nothing is tried again",
                   "add `limit: 1`");
}

}  // namespace

void read_retry(YamlNode node, RetryPolicy& retry, Mistakes& mistakes) {
  static const std::vector<std::string> k_keys = {"limit", "backoff", "factor", "max_backoff", "on", "memory"};
  auto read_limit = [&](YamlNode value) {
    if (auto limit = read_integer(value, "`limit`", 0, 1000, mistakes)) retry.limit = static_cast<int>(*limit);
  };
  if (node.is_scalar()) return read_limit(node);
  if (!expect_mapping(node, "`retry`", mistakes)) return;
  for (YamlEntry entry : node.entries()) {
    std::string_view key = entry.key.text();
    if (key == "limit") {
      read_limit(entry.value);
    } else if (key == "backoff") {
      if (auto backoff = read_duration(entry.value, "`backoff`", mistakes)) retry.backoff = *backoff;
    } else if (key == "factor") {
      if (auto factor = read_number(entry.value, "`factor`", 1, mistakes)) retry.factor = *factor;
    } else if (key == "max_backoff") {
      if (auto longest = read_duration(entry.value, "`max_backoff`", mistakes)) retry.max_backoff = *longest;
    } else if (key == "on") {
      if (auto on = read_on(entry.value, mistakes)) retry.on = *std::move(on);
    } else if (key == "memory") {
      if (auto factor = read_memory_factor(entry.value, mistakes)) retry.memory_factor = *factor;
    } else {
      unknown_key(entry.key, "`retry`", k_keys, mistakes);
    }
  }
}

void warn_of_idle_retry(YamlNode node, const TaskSettings& settings, Mistakes& mistakes) {
  const Said said = said_in(node);
  if (!said.on && !said.memory) return;
  // `limit: 0` switches retrying off on purpose.
  if (settings.retry.limit == 0) {
    if (!said.limit) warn_of_no_limit(said, mistakes);
    return;
  }
  if (!said.memory || settings.retry.memory_factor == 1) return;
  if (settings.resources.memory == 0) {
    mistakes.warning(said.memory->where(), "`memory` of `retry` has nothing to multiply: the task has no memory limit",
                     "add resources: {memory: 4Gi}");
  } else if (!tries_again_after_oom(settings.retry)) {
    mistakes.warning(said.memory->where(),
                     "`memory` of `retry` counts after an out-of-memory kill only, which `on` leaves out",
                     "add oom to `on`");
  }
}

void warn_of_idle_default_retry(YamlNode node, const std::vector<TaskSpec>& tasks, Mistakes& mistakes) {
  const Said said = said_in(node);
  if (said.limit || (!said.on && !said.memory)) return;
  bool any =
      std::any_of(tasks.begin(), tasks.end(), [](const TaskSpec& task) { return task.settings->retry.limit > 0; });
  if (!any) warn_of_no_limit(said, mistakes);
}

}  // namespace mlpipe::spec
