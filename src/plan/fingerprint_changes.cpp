#include <algorithm>
#include <array>
#include <optional>

#include "mlpipe/base/text.hpp"
#include "mlpipe/plan/fingerprint.hpp"

namespace mlpipe::plan {
namespace {

constexpr std::array<std::string_view, 11> k_kinds{"version", "image", "command", "args",   "script", "parameter",
                                                   "present", "input", "env",     "output", "secret"};
constexpr std::array<std::string_view, 3> k_sequences{"command", "args", "script"};

struct Facts {
  std::map<std::string, std::map<std::string, std::string>, std::less<>> named;  // kind, name: JSON
  std::map<std::string, std::vector<std::string>, std::less<>> sequences;        // kind: JSON of each word or line
};

// The bytes of `text` that its leading JSON string takes, quotes included.
std::size_t string_length(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      return i + 1;
  }
  return text.size();
}

// The text that a JSON string stands for; anything else as it is written.
std::string plain(std::string_view json) {
  if (!json.starts_with('"')) return std::string(json);
  const Result<Value> value = parse_json(json, "fact");
  return value && value->is_string() ? value->as_string() : std::string(json);
}

void read_fact(Facts& facts, std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return;
  const std::string kind(line.substr(0, space));
  std::string_view rest = line.substr(space + 1);
  const std::size_t quote = rest.starts_with("base64:\"") ? 7 : 0;
  const bool quoted = quote > 0 || rest.starts_with('"');
  const std::size_t length = quoted ? quote + string_length(rest.substr(quote)) : std::min(rest.find(' '), rest.size());
  if (length >= rest.size()) return;
  std::string name = plain(rest.substr(0, length));
  if (name == "-" && !quoted) name.clear();
  const std::string json(rest.substr(length + 1));
  const bool in_sequence = std::ranges::find(k_sequences, kind) != k_sequences.end();
  if (in_sequence) {
    facts.sequences[kind].push_back(json);
  } else {
    facts.named[kind][name] = json;
  }
}

Facts read_facts(std::string_view text) {
  Facts facts;
  for (const std::string_view line : split(text, '\n')) read_fact(facts, line);
  return facts;
}

// What tells two long texts apart: their first differing lines.
std::pair<std::string, std::string> differing_lines(const std::string& before, const std::string& after) {
  const std::vector<std::string_view> old_lines = split(before, '\n');
  const std::vector<std::string_view> new_lines = split(after, '\n');
  std::size_t at = 0;
  while (at + 1 < std::min(old_lines.size(), new_lines.size()) && old_lines[at] == new_lines[at]) ++at;
  return {std::string(old_lines[at]), std::string(new_lines[at])};
}

std::string shown_piece(std::string text) { return text.empty() ? "(empty)" : text; }

// One change for a whole command or script: where it first differs, once what is alike at its end is put aside.
std::optional<FingerprintChange> compare_sequences(std::string_view kind, const std::vector<std::string>& before,
                                                   const std::vector<std::string>& after) {
  if (before == after) return std::nullopt;
  FingerprintChange change{.kind = std::string(kind), .name = "", .before = "", .after = ""};
  if (before.empty() || after.empty()) {
    change.before = before.empty() ? "" : shown_piece(plain(before.front()));
    change.after = after.empty() ? "" : shown_piece(plain(after.front()));
    return change;
  }
  std::size_t at = 0;
  while (at < before.size() && at < after.size() && before[at] == after[at]) ++at;
  std::size_t tail = 0;
  while (tail < before.size() - at && tail < after.size() - at &&
         before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) {
    ++tail;
  }
  change.name = std::to_string(at + 1);
  const bool lost = at < before.size() - tail;
  const bool gained = at < after.size() - tail;
  std::string old_text = lost ? plain(before[at]) : "";
  std::string new_text = gained ? plain(after[at]) : "";
  if (lost && gained) std::tie(old_text, new_text) = differing_lines(old_text, new_text);
  if (lost) change.before = shown_piece(std::move(old_text));
  if (gained) change.after = shown_piece(std::move(new_text));
  return change;
}

// Of an input its content, when that differs; else what does.
std::pair<std::string, std::string> compare_inputs(const std::string& before, const std::string& after) {
  const Result<Value> old_fact = parse_json(before, "fact");
  const Result<Value> new_fact = parse_json(after, "fact");
  if (!old_fact || !new_fact) return {before, after};
  std::pair<std::string, std::string> text;
  for (const std::string_view aspect : {"digest", "type", "file", "folder", "metadata"}) {
    const Value* old_value = old_fact->find(aspect);
    const Value* new_value = new_fact->find(aspect);
    if (old_value == nullptr || new_value == nullptr) return {before, after};
    if (to_json(*old_value) == to_json(*new_value)) continue;
    const auto add = [&](std::string& to, const Value& value) {
      if (!to.empty()) to += ", ";
      if (aspect == "folder") {
        to += value == Value(true) ? "a folder" : "a file";
      } else if (aspect == "digest" || aspect == "type") {
        to += parameter_text(value);
      } else {
        to += fmt::format("{} {}", aspect, parameter_text(value));
      }
    };
    add(text.first, *old_value);
    add(text.second, *new_value);
  }
  return text.first == text.second ? std::pair(before, after) : text;
}

// A fact that stands alone, as people read it.
std::string shown(std::string_view kind, const std::string& json) {
  if (kind == "parameter" || kind == "env") return json;  // with quotes: "1" is not 1
  if (kind == "input" || kind == "output") {
    const Result<Value> fact = parse_json(json, "fact");
    if (!fact) return json;
    if (kind == "input") return fact->text_or("digest", json);
    std::string text = fact->text_or("type", "");
    if (const Value* file = fact->find("file")) text += ", file " + parameter_text(*file);
    if (fact->bool_or("optional", false)) text += ", optional";
    return text;
  }
  return plain(json);
}

FingerprintChange change_of(std::string_view kind, const std::string& name, const std::string* before,
                            const std::string* after) {
  FingerprintChange change{.kind = std::string(kind), .name = name, .before = "", .after = ""};
  if (before != nullptr && after != nullptr && kind == "input") {
    std::tie(change.before, change.after) = compare_inputs(*before, *after);
    return change;
  }
  if (before != nullptr) change.before = shown(kind, *before);
  if (after != nullptr) change.after = shown(kind, *after);
  return change;
}

void compare_named(std::vector<FingerprintChange>& changes, std::string_view kind,
                   const std::map<std::string, std::string>& before, const std::map<std::string, std::string>& after) {
  for (const auto& [name, json] : before) {
    const auto found = after.find(name);
    if (found == after.end()) {
      changes.push_back(change_of(kind, name, &json, nullptr));
    } else if (found->second != json) {
      changes.push_back(change_of(kind, name, &json, &found->second));
    }
  }
  for (const auto& [name, json] : after) {
    if (!before.contains(name)) changes.push_back(change_of(kind, name, nullptr, &json));
  }
}

template <class Map>
const typename Map::mapped_type& at_or_empty(const Map& map, std::string_view key) {
  static const typename Map::mapped_type k_empty;
  const auto found = map.find(key);
  return found == map.end() ? k_empty : found->second;
}

// A digest of 64 digits says no more than its first twelve.
std::string with_short_digests(std::string text) {
  constexpr std::string_view k_prefix = "sha256:";
  constexpr std::size_t k_kept = 12;
  for (std::size_t at = 0; (at = text.find(k_prefix, at)) != std::string::npos; at += k_prefix.size()) {
    const std::size_t digits = at + k_prefix.size();
    const std::size_t end = std::min(text.find_first_not_of("0123456789abcdef", digits), text.size());
    if (end - digits == 64) text.replace(digits + k_kept, 64 - k_kept, "…");
  }
  return text;
}

constexpr std::size_t k_readable = 80;

std::string readable(const std::string& text) { return printable(with_short_digests(text)); }

// Of two texts that begin alike for long, what they have before the difference is left out but for a few characters.
void cut_to_difference(std::string& before, std::string& after) {
  constexpr std::size_t k_context = 24;
  if (before.size() <= k_readable && after.size() <= k_readable) return;
  const auto differ = std::ranges::mismatch(before, after);
  const auto same = static_cast<std::size_t>(differ.in1 - before.begin());
  if (same <= 2 * k_context) return;
  std::size_t start = same - k_context;
  const auto is_inside_character = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; };
  while (start > 0 && is_inside_character(before[start])) --start;
  before.replace(0, start, "…");
  after.replace(0, start, "…");
}

std::string subject_of(const FingerprintChange& change) {
  if (change.kind == "version") return change.name.empty() ? "the cache version" : "the form of fingerprints";
  if (change.kind == "env") return "variable " + printable(change.name);
  if (change.name.empty()) return change.kind;
  return change.kind + " " + printable(change.name);
}

}  // namespace

std::vector<FingerprintChange> compare_fingerprints(const std::string& before, const std::string& after) {
  std::vector<FingerprintChange> changes;
  if (before == after) return changes;
  const Facts old_facts = read_facts(before);
  const Facts new_facts = read_facts(after);
  for (const std::string_view kind : k_kinds) {
    if (std::ranges::find(k_sequences, kind) != k_sequences.end()) {
      auto change =
          compare_sequences(kind, at_or_empty(old_facts.sequences, kind), at_or_empty(new_facts.sequences, kind));
      if (change) changes.push_back(std::move(*change));
    } else {
      compare_named(changes, kind, at_or_empty(old_facts.named, kind), at_or_empty(new_facts.named, kind));
    }
  }
  return changes;
}

std::string to_string(const FingerprintChange& change) {
  std::string before = readable(change.before);
  std::string after = readable(change.after);
  cut_to_difference(before, after);
  before = shorten(before, k_readable);
  after = shorten(after, k_readable);
  const bool in_sequence = std::ranges::find(k_sequences, change.kind) != k_sequences.end();
  if (in_sequence && !change.name.empty()) {
    const std::string place = fmt::format("{} {}", change.kind == "script" ? "line" : "word", change.name);
    if (change.before.empty()) return fmt::format("{} has a new {}: {}", change.kind, place, after);
    if (change.after.empty()) return fmt::format("{} lost {}: {}", change.kind, place, before);
    return fmt::format("{} changed in {}: from {} to {}", change.kind, place, before, after);
  }
  if (change.kind == "present") {
    const bool now = change.after == "true";
    return fmt::format("input {} is {}", printable(change.name), now ? "given now" : "left to its default now");
  }
  const std::string subject = subject_of(change);
  if (change.before.empty()) return subject + " is new";
  if (change.after.empty()) return subject + " is gone";
  return fmt::format("{} changed from {} to {}", subject, before, after);
}

}  // namespace mlpipe::plan
