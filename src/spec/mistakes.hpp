#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>

#include "mlpipe/spec/diagnostic.hpp"

namespace mlpipe::spec {

// Collects what is wrong with a spec. Keeps the first thousand: a generated file can hold a mistake in every task. What
// stands in the file once is told once, however many aliases have it.
class Mistakes final {
 public:
  void error(Where where, std::string message, std::string hint = {});
  void warning(Where where, std::string message, std::string hint = {});
  void add(Diagnostic diagnostic);

  bool any_error() const { return errors_ > 0; }
  std::size_t errors() const { return errors_; }

  // "did you mean `x`?" for the candidate nearest to `word`, else `otherwise`. Costs nothing any more once it was asked
  // about too many candidates.
  std::string did_you_mean(std::string_view word, std::span<const std::string> candidates, std::string otherwise = {});

  // For one that is not told again.
  void count_error() { ++errors_; }
  // Whether `where` is asked about for the first time: for what would be told in other words each time.
  bool is_first_at(Where where);

  // By file and place; that there are more than were kept comes last.
  Diagnostics take();

 private:
  Diagnostics diagnostics_;
  std::unordered_set<std::string> told_;    // place, message and hint of diagnostics_
  std::unordered_set<std::string> places_;  // is_first_at()
  std::optional<Diagnostic> rest_;          // instead of those that were not kept
  std::size_t errors_ = 0;
  std::size_t guesses_left_ = 1'000'000;
};

// `text` in backquotes, printable and short enough for a message.
std::string ticked(std::string_view text);
// "`a`, `b` and `c`"; the first few and how many more when there are many.
std::string listed(std::span<const std::string> names);

}  // namespace mlpipe::spec
