#include "app/annotate.hpp"

#include <algorithm>

#include "app/journal.hpp"
#include "app/rebuild.hpp"
#include "app/recorded_run.hpp"
#include "app/root.hpp"
#include "mlpipe/artifact/tree.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/metadata/annotations.hpp"

namespace mlpipe::app {
namespace {

constexpr std::size_t k_longest_label = 1000;
constexpr std::size_t k_longest_note = 65'536;

bool is_one_line(std::string_view text) {
  return is_valid_utf8(text) && std::none_of(text.begin(), text.end(),
                                             [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

Failure wrong_change(const std::string& change, std::string_view why) {
  return fail_with_hint(ErrorCode::invalid_input, fmt::format("label \"{}\": {}", printable(change), why),
                        "name=value sets a label, name- takes it away");
}

Result<metadata::Annotations> changes_of(const std::vector<std::string>& changes) {
  metadata::Annotations read;
  for (const std::string& change : changes) {
    const std::size_t equals = change.find('=');
    const bool takes_away = equals == std::string::npos && change.ends_with('-');
    if (equals == std::string::npos && !takes_away) return wrong_change(change, "it has no value");
    const std::string name = takes_away ? change.substr(0, change.size() - 1) : change.substr(0, equals);
    if (name.empty()) return wrong_change(change, "it has no name");
    if (!takes_away && name.ends_with('-')) return wrong_change(change, "a name may not end with -");
    if (!is_one_line(change)) return wrong_change(change, "names and values are one line of text");
    if (change.size() > k_longest_label)
      return wrong_change(shorten(change, 40), fmt::format("it is longer than {} bytes", k_longest_label));
    auto text = takes_away ? std::nullopt : std::optional(change.substr(equals + 1));
    if (!read.labels.emplace(name, std::move(text)).second) return wrong_change(change, "it is said twice");
  }
  return read;
}

// Changes the run that `reference` means and gives it as it is then.
Result<metadata::RunRow> change_run(const std::string& said_root, const std::string& reference,
                                    const metadata::Annotations& change, const Console& console) {
  const Result<std::filesystem::path> root = resolve_root(said_root);
  if (!root) return Failure(root.error());
  if (Result<> mended = mend_record(artifact::Root(*root), console); !mended) return Failure(mended.error());
  Result<std::unique_ptr<metadata::Queries>> queries = open_record_of(*root);
  if (!queries) return Failure(std::move(queries).error());
  Result<metadata::RunRow> run = (*queries)->find_run(reference);
  if (!run) return run;
  Result<> changed = metadata::annotate(artifact::Root(*root).database(), run->id, change);
  if (changed) changed = journal_annotations(artifact::Root(*root).run(run->id), change);
  if (!changed) return within(fmt::format("changing run {}", run->id), std::move(changed).error());
  return (*queries)->find_run(run->id);
}

}  // namespace

ExitCode label(const LabelCommand& command, const Console& console) {
  const Result<metadata::Annotations> change = changes_of(command.changes);
  if (!change) return report_error(console, change.error());
  const Result<metadata::RunRow> run = change_run(command.root, command.run, *change, console);
  if (!run) return report_error(console, run.error());
  std::string text;
  for (const auto& [name, value] : run->labels) text += fmt::format("{}{}={}", text.empty() ? "" : ", ", name, value);
  console.out(fmt::format("{}: {}\n", run->id, text.empty() ? "no labels" : printable(text)));
  return ExitCode::succeeded;
}

ExitCode note(const NoteCommand& command, const Console& console) {
  if (!is_valid_utf8(command.text) || command.text.size() > k_longest_note) {
    const Failure wrong = fail_with_hint(ErrorCode::invalid_input,
                                         fmt::format("note: it is no UTF-8 text of at most {} bytes", k_longest_note),
                                         "keep longer texts in a file, and name the file");
    return report_error(console, wrong.value());
  }
  const Result<metadata::RunRow> run =
      change_run(command.root, command.run, {.labels = {}, .note = std::string(trim(command.text))}, console);
  if (!run) return report_error(console, run.error());
  console.out(fmt::format("{}: {}\n", run->id, run->note.empty() ? "no note" : printable(run->note)));
  return ExitCode::succeeded;
}

}  // namespace mlpipe::app
