#include "spec/mistakes.hpp"

#include <fmt/format.h>

#include <utility>

#include "mlpipe/base/text.hpp"

namespace mlpipe::spec {
namespace {

constexpr std::size_t k_most_diagnostics = 1000;

// No place in any file, and sorted behind those that are.
constexpr Where k_behind_all{0, 0, UINT16_MAX};

std::string place_text(Where where) { return fmt::format("{}:{}:{}", where.file, where.line, where.column); }

}  // namespace

void Mistakes::error(Where where, std::string message, std::string hint) {
  add({Severity::error, where, std::move(message), std::move(hint)});
}

void Mistakes::warning(Where where, std::string message, std::string hint) {
  add({Severity::warning, where, std::move(message), std::move(hint)});
}

void Mistakes::add(Diagnostic diagnostic) {
  bool is_error = diagnostic.severity == Severity::error;
  if (is_error) ++errors_;
  if (diagnostics_.size() < k_most_diagnostics) {
    const std::string text =
        fmt::format("{}\n{}\n{}", place_text(diagnostic.where), diagnostic.message, diagnostic.hint);
    if (told_.insert(text).second) diagnostics_.push_back(std::move(diagnostic));
  } else if (!rest_) {
    rest_ = {is_error ? Severity::error : Severity::warning,
             k_behind_all,
             fmt::format("more than {} mistakes; the rest is not shown", k_most_diagnostics),
             {}};
  } else if (is_error) {
    rest_->severity = Severity::error;
  }
}

bool Mistakes::is_first_at(Where where) { return places_.insert(place_text(where)).second; }

Diagnostics Mistakes::take() {
  if (rest_) diagnostics_.push_back(*std::move(rest_));
  sort_by_place(diagnostics_);
  told_.clear();
  rest_.reset();
  return std::exchange(diagnostics_, {});
}

std::string Mistakes::did_you_mean(std::string_view word, std::span<const std::string> candidates,
                                   std::string otherwise) {
  if (candidates.size() > guesses_left_ || word.size() > 200) return otherwise;
  guesses_left_ -= candidates.size();
  if (std::optional<std::string> guess = closest(word, candidates)) {
    return fmt::format("did you mean {}?", ticked(*guess));
  }
  return otherwise;
}

std::string ticked(std::string_view text) { return fmt::format("`{}`", shorten(printable(text.substr(0, 400)), 80)); }

std::string listed(std::span<const std::string> names) {
  constexpr std::size_t k_most = 12;
  if (names.empty()) return "none";
  std::string out;
  std::size_t shown = names.size() > k_most ? k_most : names.size();
  for (std::size_t i = 0; i < shown; ++i) {
    if (i > 0) out += i + 1 == names.size() ? " and " : ", ";
    out += ticked(names[i]);
  }
  if (shown < names.size()) out += fmt::format(" and {} more", names.size() - shown);
  return out;
}

}  // namespace mlpipe::spec
