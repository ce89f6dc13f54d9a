#include "app/run_filter.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>

#include "mlpipe/base/text.hpp"

namespace mlpipe::app {
namespace {

using metadata::Comparison;
using metadata::Direction;
using metadata::MetricCondition;
using metadata::MetricRow;
using metadata::RunKey;
using metadata::RunSelection;
using metadata::RunSort;
using metadata::RunStatus;

Failure wrong(std::string_view option, const std::string& text, std::string hint) {
  return fail_with_hint(ErrorCode::invalid_input, fmt::format("{} \"{}\" is not understood", option, printable(text)),
                        std::move(hint));
}

Result<RunStatus> status_of(const std::string& word) {
  using enum RunStatus;
  std::vector<std::string> words;
  for (const RunStatus status : {running, interrupted, succeeded, failed, cancelled}) {
    if (metadata::to_string(status) == word) return status;
    words.emplace_back(metadata::to_string(status));
  }
  const std::optional<std::string> near = closest(word, words);
  return wrong("--status", word, near ? fmt::format("did you mean {}?", *near) : "write one of " + join(words, ", "));
}

Result<std::pair<std::string, std::string>> pair_of(std::string_view option, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    return wrong(option, text, fmt::format("write {} name=value", option));
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

// The whole of `text` as a number.
std::optional<double> number_of(std::string_view text) {
  text = trim(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || std::isnan(number)) return std::nullopt;
  return number;
}

Result<MetricCondition> condition_of(const std::string& text) {
  struct Sign {
    std::string_view sign;
    Comparison comparison;
  };
  constexpr Sign k_signs[] = {{"<=", Comparison::at_most}, {">=", Comparison::at_least}, {"==", Comparison::equal},
                              {"<", Comparison::less},     {">", Comparison::greater},   {"=", Comparison::equal}};
  const std::string hint = "write --metric 'rmse<30000': a metric, one of < <= == >= >, and a number";
  const std::size_t at = text.find_first_of("<>=");
  const std::string_view name = trim(std::string_view(text).substr(0, at));
  if (at == std::string::npos || name.empty()) return wrong("--metric", text, hint);
  for (const auto& [sign, comparison] : k_signs) {
    if (!std::string_view(text).substr(at).starts_with(sign)) continue;
    const std::optional<double> number = number_of(std::string_view(text).substr(at + sign.size()));
    if (!number) return wrong("--metric", text, hint);
    return MetricCondition{.metric = std::string(name), .comparison = comparison, .value = *number};
  }
  return wrong("--metric", text, hint);
}

Result<RunSort> sort_of(const std::string& text) {
  RunSort sort{.direction = Direction::ascending};
  std::string_view key = text;
  if (key.starts_with('-')) {
    sort.direction = Direction::descending;
    key.remove_prefix(1);
  }
  constexpr std::string_view k_metric = "metric:";
  if (key == "created") {
    sort.key = RunKey::created;
  } else if (key == "duration") {
    sort.key = RunKey::duration;
  } else if (key.starts_with(k_metric) && key.size() > k_metric.size()) {
    sort.key = RunKey::metric;
    sort.metric = key.substr(k_metric.size());
  } else {
    return wrong("--sort", text, "write created, duration or metric:NAME, with a - in front for the greatest first");
  }
  return sort;
}

// Adds what `read` makes of each of `texts` to `to`.
template <class To, class Read>
Result<> add_each(const std::vector<std::string>& texts, To& to, Read&& read) {
  for (const std::string& text : texts) {
    auto value = read(text);
    if (!value) return Failure(std::move(value).error());
    to.push_back(std::move(*value));
  }
  return {};
}

bool fits(const MetricCondition& condition, double value) {
  switch (condition.comparison) {
    case Comparison::less: return value < condition.value;
    case Comparison::at_most: return value <= condition.value;
    case Comparison::equal: return value == condition.value;
    case Comparison::at_least: return value >= condition.value;
    case Comparison::greater: return value > condition.value;
  }
  return false;
}

}  // namespace

std::optional<WallTime> parse_since(const std::string& text, WallTime now) {
  // A bare number may be a year: durations need their unit here.
  if (!text.empty() && text.find_first_not_of("0123456789.") != std::string::npos) {
    if (const auto ago = parse_duration(text)) return now - *ago;
  }
  const bool utc = text.ends_with('Z');
  const std::string local = utc ? text.substr(0, text.size() - 1) : text;
  for (const char* form : {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"}) {
    std::tm parts{};
    parts.tm_isdst = -1;
    const char* end = ::strptime(local.c_str(), form, &parts);
    if (end == nullptr || *end != '\0') continue;
    std::tm checked = parts;
    const std::time_t seconds = utc ? ::timegm(&checked) : std::mktime(&checked);
    if (checked.tm_mday != parts.tm_mday) return std::nullopt;  // 30 February
    return WallTime(std::chrono::seconds(seconds));
  }
  return std::nullopt;
}

Result<RunSelection> selection_of(const RunsCommand& command, WallTime now) {
  RunSelection selection;
  metadata::RunFilter& filter = selection.filter;
  filter.pipeline = command.pipeline;
  filter.experiment = command.experiment;
  if (!command.since.empty()) {
    filter.since = parse_since(command.since, now);
    if (!filter.since)
      return wrong("--since", command.since,
                   "write a time ago (7d, 12h, 30m) or a date (2026-11-01, 2026-11-01T18:30)");
  }
  Result<> read = add_each(command.status, filter.statuses, status_of);
  if (read) read = add_each(command.metrics, filter.metrics, condition_of);
  if (read) {
    read = add_each(command.parameters, filter.parameters, [](const auto& text) { return pair_of("--param", text); });
  }
  if (read) read = add_each(command.labels, filter.labels, [](const auto& text) { return pair_of("--label", text); });
  if (!read) return Failure(std::move(read).error());
  if (!command.sort.empty()) {
    Result<RunSort> sort = sort_of(command.sort);
    if (!sort) return Failure(std::move(sort).error());
    selection.sort = std::move(*sort);
  }
  selection.limit = static_cast<std::size_t>(command.limit);
  selection.now = now;
  return selection;
}

const MetricRow* shown_metric(const RunSelection& selection, const metadata::SelectedRun& selected, std::size_t asked) {
  const std::string name = metadata::asked_metrics(selection)[asked];
  const bool sorted = selection.sort && selection.sort->key == RunKey::metric && selection.sort->metric == name;
  const std::vector<MetricCondition>& conditions = selection.filter.metrics;
  const auto condition =
      std::find_if(conditions.begin(), conditions.end(), [&](const auto& one) { return one.metric == name; });
  bool least = true;
  if (sorted) {
    least = selection.sort->direction == Direction::ascending;
  } else if (condition != conditions.end()) {
    least = condition->comparison != Comparison::greater && condition->comparison != Comparison::at_least;
  }
  const MetricRow* shown = nullptr;
  for (const MetricRow& row : selected.metrics[asked]) {
    if (!sorted && condition != conditions.end() && !fits(*condition, row.value)) continue;
    if (shown == nullptr || (least ? row.value < shown->value : row.value > shown->value)) shown = &row;
  }
  return shown;
}

}  // namespace mlpipe::app
