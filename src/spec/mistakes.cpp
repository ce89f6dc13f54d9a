#include "spec/mistakes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <tuple>

#include "mlpipe/base/text.hpp"

namespace mlpipe::spec {
namespace {

constexpr std::size_t k_most_diagnostics = 1000;

auto place_of(const Diagnostic& diagnostic) {
  return std::tuple(diagnostic.where.file, diagnostic.where.line, diagnostic.where.column);
}

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
    diagnostics_.push_back(std::move(diagnostic));
  } else if (diagnostics_.size() == k_most_diagnostics) {
    diagnostics_.push_back({is_error ? Severity::error : Severity::warning,
                            diagnostic.where,
                            fmt::format("more than {} mistakes; the rest is not shown", k_most_diagnostics),
                            {}});
  } else if (is_error) {
    diagnostics_.back().severity = Severity::error;
  }
}

Diagnostics Mistakes::take() {
  std::ranges::stable_sort(diagnostics_, std::less(), &place_of);
  // Of one place there are few.
  Diagnostics kept;
  for (Diagnostic& diagnostic : diagnostics_) {
    bool is_told = false;
    for (auto it = kept.rbegin(); it != kept.rend() && it->where == diagnostic.where && !is_told; ++it) {
      is_told = *it == diagnostic;
    }
    if (!is_told) kept.push_back(std::move(diagnostic));
  }
  diagnostics_.clear();
  return kept;
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
