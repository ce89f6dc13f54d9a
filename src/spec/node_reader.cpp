#include "spec/node_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "mlpipe/base/text.hpp"

namespace mlpipe::spec {
namespace {

constexpr double k_longest_seconds = 1e12;  // as parse_duration
constexpr double k_most_bytes = 9e18;       // as parse_bytes

struct OtherFlag {
  std::string_view word, meant;
};
// Words that YAML 1.1 took for Booleans.
constexpr std::array<OtherFlag, 6> k_flags_of_others{
    {{"yes", "true"}, {"on", "true"}, {"y", "true"}, {"no", "false"}, {"off", "false"}, {"n", "false"}}};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

void wrong_kind(YamlNode node, std::string_view what, std::string_view wanted, Mistakes& mistakes) {
  if (node.has_lost()) return;  // {{ x }} and the like are told already
  std::string hint;
  if (node.is_mapping() && wanted == "text") hint = "put quotes around it: a text cannot begin with { or hold `: `";
  if (node.is_null()) {
    mistakes.error(node.where(), fmt::format("{} is empty; it wants {}", what, wanted));
  } else {
    mistakes.error(node.where(), fmt::format("{} wants {}, not {}", what, wanted, node.kind_name()), hint);
  }
}

// What a plain scalar is as a number of YAML; digits that do not fit into an Integer too.
std::optional<double> plain_number(YamlNode node) {
  if (!node.is_plain()) return std::nullopt;
  if (Result<Value> value = plain_value(node.text()); value) {
    return value->is_number() ? std::optional(value->as_double()) : std::nullopt;
  }
  double number = 0;
  const std::string_view text = node.text();
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

// A number in quotes is a text.
std::string hint_at_quotes(YamlNode node) {
  if (node.is_plain()) return {};
  Result<Value> value = plain_value(node.text());
  return value && value->is_number() ? "leave the quotes out" : "";
}

bool expect_scalar(YamlNode node, std::string_view what, std::string_view wanted, Mistakes& mistakes) {
  if (node.is_scalar()) return true;
  wrong_kind(node, what, wanted, mistakes);
  return false;
}

}  // namespace

std::optional<std::string> read_text(YamlNode node, std::string_view what, Mistakes& mistakes) {
  if (!expect_scalar(node, what, "text", mistakes)) return std::nullopt;
  return std::string(node.text());
}

std::optional<std::string> read_filled_text(YamlNode node, std::string_view what, Mistakes& mistakes) {
  std::optional<std::string> text = read_text(node, what, mistakes);
  if (text && trim(*text).empty()) {
    bool is_block = node.style() == YamlStyle::literal || node.style() == YamlStyle::folded;
    mistakes.error(node.where(), fmt::format("{} is empty", what),
                   is_block ? "indent the lines of the text deeper than its key" : "");
    return std::nullopt;
  }
  return text;
}

std::optional<bool> read_flag(YamlNode node, std::string_view what, Mistakes& mistakes) {
  if (!expect_scalar(node, what, "true or false", mistakes)) return std::nullopt;
  Result<Value> value = plain_value(node.text());
  if (node.is_plain() && value && value->is_bool()) return value->as_bool();
  std::string hint;
  if (value && value->is_bool()) hint = "leave the quotes out";
  const auto said = std::ranges::find(k_flags_of_others, to_lower(node.text()), &OtherFlag::word);
  if (said != k_flags_of_others.end())
    hint = fmt::format("write {}: in YAML 1.2 {} is a text", said->meant, said->word);
  mistakes.error(node.where(), fmt::format("{} wants true or false, not {}", what, ticked(node.text())), hint);
  return std::nullopt;
}

std::optional<std::int64_t> read_integer(YamlNode node, std::string_view what, std::int64_t least, std::int64_t most,
                                         Mistakes& mistakes) {
  std::string wanted = most == INT64_MAX ? fmt::format("a whole number, {} or more", least)
                                         : fmt::format("a whole number from {} to {}", least, most);
  if (!expect_scalar(node, what, wanted, mistakes)) return std::nullopt;
  Result<Value> value = plain_value(node.text());
  // 2.0 is a whole number, too.
  if (value) value = coerce(*value, ParameterType::integer);
  if (node.is_plain() && value && value->as_integer() >= least && value->as_integer() <= most) {
    return value->as_integer();
  }
  mistakes.error(node.where(), fmt::format("{} wants {}, not {}", what, wanted, ticked(node.text())),
                 hint_at_quotes(node));
  return std::nullopt;
}

std::optional<double> read_number(YamlNode node, std::string_view what, double least, Mistakes& mistakes) {
  std::string wanted = fmt::format("a number, {} or more", number_text(least));
  if (!expect_scalar(node, what, wanted, mistakes)) return std::nullopt;
  if (const std::optional<double> number = plain_number(node); number && *number >= least) return number;
  mistakes.error(node.where(), fmt::format("{} wants {}, not {}", what, wanted, ticked(node.text())),
                 hint_at_quotes(node));
  return std::nullopt;
}

std::optional<std::chrono::milliseconds> read_duration(YamlNode node, std::string_view what, Mistakes& mistakes) {
  if (!expect_scalar(node, what, "a duration such as 90s or 1h30m", mistakes)) return std::nullopt;
  std::optional<std::chrono::milliseconds> duration = parse_duration(node.text());
  const std::optional<double> seconds = plain_number(node);  // also +5 and 1e3
  if (!duration && seconds && *seconds >= 0 && *seconds <= k_longest_seconds) {
    duration = std::chrono::milliseconds(std::llround(*seconds * 1000));
  }
  if (!duration) {
    mistakes.error(node.where(), fmt::format("{} wants a duration, not {}", what, ticked(node.text())),
                   "write 500ms, 90s, 5m, 1h30m or 1d");
  }
  return duration;
}

std::optional<std::uint64_t> read_bytes(YamlNode node, std::string_view what, Mistakes& mistakes) {
  if (!expect_scalar(node, what, "an amount of memory such as 4Gi", mistakes)) return std::nullopt;
  std::optional<std::uint64_t> bytes = parse_bytes(node.text());
  const std::optional<double> number = plain_number(node);  // also +5 and 0x100
  if (!bytes && number && *number >= 0 && *number <= k_most_bytes) {
    bytes = static_cast<std::uint64_t>(std::llround(*number));
  }
  if (!bytes) {
    mistakes.error(node.where(), fmt::format("{} wants an amount of memory, not {}", what, ticked(node.text())),
                   "write 512Mi or 4Gi (powers of 1024), or 500M or 2G (powers of 1000)");
  }
  return bytes;
}

std::optional<std::size_t> read_choice(YamlNode node, std::string_view what, std::span<const std::string> words,
                                       Mistakes& mistakes) {
  if (!expect_scalar(node, what, "one word", mistakes)) return std::nullopt;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == node.text()) return i;
  }
  mistakes.error(node.where(), fmt::format("{} cannot be {}", what, ticked(node.text())),
                 mistakes.did_you_mean(node.text(), words, fmt::format("it can be {}", listed(words))));
  return std::nullopt;
}

bool expect_mapping(YamlNode node, std::string_view what, Mistakes& mistakes) {
  if (node.is_mapping()) return true;
  wrong_kind(node, what, "a mapping of `key: value` lines", mistakes);
  return false;
}

bool expect_sequence(YamlNode node, std::string_view what, Mistakes& mistakes) {
  if (node.is_sequence()) return true;
  wrong_kind(node, what, "a list", mistakes);
  return false;
}

namespace {

// Words of other tools for what has another name here.
struct OtherName {
  std::string_view word, meant;
};
constexpr std::array<OtherName, 24> k_other_names{
    {{"needs", "after"},          {"depends", "after"},     {"depends_on", "after"},  {"dependsOn", "after"},
     {"dependencies", "after"},   {"steps", "tasks"},       {"jobs", "tasks"},        {"nodes", "tasks"},
     {"stages", "tasks"},         {"params", "parameters"}, {"inputs", "parameters"}, {"cmd", "command"},
     {"entrypoint", "command"},   {"run", "script"},        {"with", "arguments"},    {"params", "arguments"},
     {"parameters", "arguments"}, {"environment", "env"},   {"if", "when"},           {"condition", "when"},
     {"retries", "retry"},        {"caching", "cache"},     {"gpus", "gpu"},          {"cpus", "cpu"}}};

// Words that people try, and what to do instead. `beside`: a key that is known where the word stands; empty: anywhere.
struct OtherWay {
  std::string_view word, beside, instead;
};
constexpr std::string_view k_pipeline = "defaults";  // a key of pipelines alone
constexpr std::string_view k_task = "arguments";     // a key of tasks alone
constexpr std::string_view k_for_all = "it is said of a task; under `defaults` it counts for all tasks";
constexpr std::string_view k_no_loop =
    "loops are not supported: write a task for each value, or a loop in the script of one task";
constexpr std::string_view k_no_mounts =
    "mounts are not supported: a task with `import` brings data in, and outputs are kept in the pipeline root";
constexpr std::string_view k_no_schedule = "mlpipe starts nothing by itself: let cron or CI call `mlpipe run`";
constexpr std::array<OtherWay, 41> k_other_ways{{
    {"parallelism", "",
     "how many tasks run at once says `--jobs N`; tasks that must not meet share a pool: pools: {db: 1}"},
    {"foreach", "", k_no_loop},
    {"matrix", "", k_no_loop},
    {"loop", "", k_no_loop},
    {"pipeline", k_task, "a pipeline cannot be a task of another: write its tasks into this file"},
    {"pipeline", k_pipeline, "the file is the pipeline: write `name:` and `tasks:` at the top"},
    {"on_exit", "", "write a task with `run_after_failure: true` that is `after` the others"},
    {"image", k_pipeline, k_for_all},
    {"retry", k_pipeline, k_for_all},
    {"retries", k_pipeline, "it is called `retry` here; under `defaults` it counts for all tasks"},
    {"timeout", k_pipeline, k_for_all},
    {"resources", k_pipeline, k_for_all},
    {"env", k_pipeline, k_for_all},
    {"environment", k_pipeline, "it is called `env` here; under `defaults` it counts for all tasks"},
    {"secrets", k_pipeline, k_for_all},
    {"pool", k_pipeline, k_for_all},
    {"network", k_pipeline, k_for_all},
    {"user", k_pipeline, k_for_all},
    {"pull", k_pipeline, k_for_all},
    {"cache", k_pipeline, k_for_all},
    {"caching", k_pipeline, "it is called `cache` here; under `defaults` it counts for all tasks"},
    {"keep", k_pipeline, k_for_all},
    {"after", k_pipeline, "it is said of a task: the tasks that must be done first"},
    {"needs", k_pipeline, "it is called `after` here, and said of a task"},
    {"depends_on", k_pipeline, "it is called `after` here, and said of a task"},
    {"arguments", k_pipeline, "a task has arguments; what a run can be given are `parameters`"},
    {"gpus", k_task, "write resources: {gpu: 1}"},
    {"gpu", k_task, "write resources: {gpu: 1}"},
    {"cpu", k_task, "write resources: {cpu: 2}"},
    {"cpus", k_task, "write resources: {cpu: 2}"},
    {"memory", k_task, "write resources: {memory: 4Gi}"},
    {"build", k_task, "only components are built: name a folder with a component.yaml that says `build: .`"},
    {"name", k_task, "a task is named by its key: tasks: {NAME: ...}"},
    {"volumes", "", k_no_mounts},
    {"mounts", "", k_no_mounts},
    {"working_dir", k_task, "write `cd FOLDER` in the script, or set WORKDIR in the image"},
    {"workdir", k_task, "write `cd FOLDER` in the script, or set WORKDIR in the image"},
    {"schedule", k_pipeline, k_no_schedule},
    {"cron", k_pipeline, k_no_schedule},
    {"version", k_pipeline, "pipelines have no version here; say it in `labels` or `description`"},
    {"requests", "cpu", "cpu, memory and gpu stand in `resources` themselves, and are limits"},
}};

const std::string* known_here_as(std::string_view word, std::span<const std::string> known) {
  for (const OtherName& name : k_other_names) {
    if (name.word != word) continue;
    const auto found = std::ranges::find(known, name.meant);
    if (found != known.end()) return &*found;
  }
  return nullptr;
}

}  // namespace

std::string way_instead(std::string_view word, std::span<const std::string> known) {
  for (const OtherWay& way : k_other_ways) {
    if (way.word != word) continue;
    if (way.beside.empty() || std::ranges::find(known, way.beside) != known.end()) return std::string(way.instead);
  }
  return {};
}

void unknown_key(YamlNode key, std::string_view in, std::span<const std::string> known, Mistakes& mistakes) {
  if (!mistakes.is_first_at(key.where())) return mistakes.count_error();  // an alias of what another task has
  std::string hint = way_instead(key.text(), known);
  if (const std::string* meant = known_here_as(key.text(), known)) {
    hint = fmt::format("it is called {} here", ticked(*meant));
  } else if (const std::size_t colon = key.text().find(':');
             colon != std::string_view::npos && std::ranges::find(known, key.text().substr(0, colon)) != known.end()) {
    hint = fmt::format("a space is missing behind `{}:`", key.text().substr(0, colon));
  } else if (hint.empty()) {
    hint = mistakes.did_you_mean(key.text(), known, fmt::format("known keys: {}", join(known, ", ")));
  }
  mistakes.error(key.where(), fmt::format("unknown key {} in {}", ticked(key.text()), in), std::move(hint));
}

bool has_misspelt(YamlNode mapping, std::span<const std::string> known,
                  std::initializer_list<std::string_view> wanted) {
  auto is_there = [&](std::string_view key) { return mapping.find(key).has_value(); };
  if (std::ranges::all_of(wanted, is_there)) return false;
  if (mapping.is_shortened()) return true;
  for (YamlEntry entry : mapping.entries()) {
    const std::string_view key = entry.key.text();
    if (std::ranges::find(known, key) != known.end()) continue;
    const std::string* called = known_here_as(key, known);
    const std::optional<std::string> meant = called == nullptr ? closest(key, known) : *called;
    if (meant && std::ranges::find(wanted, *meant) != wanted.end() && !is_there(*meant)) return true;
  }
  return false;
}

std::optional<std::string> name_problem(std::string_view name) {
  if (name.empty()) return "it is empty";
  if (name.size() > 100) return fmt::format("it has {} bytes, at most 100 are allowed", name.size());
  if (name.front() == '.') return "it begins with a dot";
  for (char c : name) {
    if (!is_letter(c) && !is_digit(c) && c != '.' && c != '_' && c != '-') {
      return "only letters, digits, `.`, `_` and `-` are allowed";
    }
  }
  return std::nullopt;
}

bool check_name(YamlNode key, std::string_view what, Mistakes& mistakes) {
  std::optional<std::string> problem = name_problem(key.text());
  if (!problem) return true;
  std::string better = normalized_name(key.text().substr(0, 100));
  std::string hint = better.empty() ? "" : fmt::format("it names a folder or file; {} would do", ticked(better));
  mistakes.error(key.where(), fmt::format("{} cannot be named {}: {}", what, ticked(key.text()), *problem), hint);
  return false;
}

std::string normalized_name(std::string_view name) {
  std::string out;
  for (char c : to_lower(name)) {
    if (is_letter(c) || is_digit(c)) {
      out += c;
    } else if (!out.empty() && out.back() != '_') {
      out += '_';
    }
  }
  while (out.ends_with('_')) out.pop_back();
  return out;
}

bool check_variable_name(YamlNode key, Mistakes& mistakes) {
  std::string_view name = key.text();
  bool is_good = !name.empty() && !is_digit(name[0]) &&
                 std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
  if (!is_good) {
    mistakes.error(key.where(), fmt::format("{} is no name for an environment variable", ticked(name)),
                   "letters, digits and `_`, not beginning with a digit");
    return false;
  }
  if (name.starts_with("MLPIPE_")) {
    mistakes.error(key.where(), fmt::format("{} cannot be set: names with MLPIPE_ are mlpipe's own", ticked(name)));
    return false;
  }
  return true;
}

std::string variable_suffix(std::string_view name) {
  std::string out;
  for (char c : name) {
    if (c >= 'a' && c <= 'z') {
      out += static_cast<char>(c - 'a' + 'A');
    } else {
      out += is_letter(c) || is_digit(c) ? c : '_';
    }
  }
  return out;
}

}  // namespace mlpipe::spec
