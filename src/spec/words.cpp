#include <fmt/format.h>

#include "mlpipe/spec/expression.hpp"

namespace mlpipe::spec {
namespace {

using Present = std::function<bool(std::string_view)>;

void collect(const std::vector<Word>& words, std::vector<Reference>& found) {
  for (const Word& word : words) {
    std::vector<Reference> more = word.references();
    found.insert(found.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }
}

Result<> add(std::vector<std::string>& out, const Word& word, const Lookup& lookup, const Present& present);

Result<> add_all(std::vector<std::string>& out, const std::vector<Word>& words, const Lookup& lookup,
                 const Present& present) {
  for (const Word& word : words) {
    if (Result<> added = add(out, word, lookup, present); !added) return added;
  }
  return {};
}

Result<std::string> concatenated(const Word::Concat& concat, const Lookup& lookup, const Present& present) {
  std::string text;
  for (const Word& item : concat.items) {
    std::vector<std::string> pieces;
    if (Result<> added = add(pieces, item, lookup, present); !added) return Failure(std::move(added).error());
    if (pieces.size() > 1) {
      const auto* choice = std::get_if<Word::IfPresent>(&item.form);
      return fail(ErrorCode::invalid_input,
                  "if-present of input \"{}\" within a concatenation gives {} words; it must give one",
                  choice != nullptr ? choice->input : "", pieces.size());
    }
    if (!pieces.empty()) text += pieces.front();
  }
  return text;
}

Result<> add(std::vector<std::string>& out, const Word& word, const Lookup& lookup, const Present& present) {
  if (const auto* choice = std::get_if<Word::IfPresent>(&word.form)) {
    return add_all(out, present(choice->input) ? choice->then_words : choice->else_words, lookup, present);
  }
  const auto* text = std::get_if<Template>(&word.form);
  Result<std::string> made =
      text != nullptr ? render(*text, lookup) : concatenated(std::get<Word::Concat>(word.form), lookup, present);
  if (!made) return Failure(std::move(made).error());
  if (made->find('\0') != std::string::npos) {
    return fail(ErrorCode::invalid_input, "argument {} holds a NUL byte, which no program can be given",
                out.size() + 1);
  }
  out.push_back(*std::move(made));
  return {};
}

}  // namespace

std::vector<Reference> Word::references() const {
  if (const auto* text = std::get_if<Template>(&form)) return text->references();
  std::vector<Reference> found;
  if (const auto* concat = std::get_if<Concat>(&form)) {
    collect(concat->items, found);
  } else {
    const IfPresent& choice = std::get<IfPresent>(form);
    collect(choice.then_words, found);
    collect(choice.else_words, found);
  }
  return found;
}

Result<std::vector<std::string>> expand(const std::vector<Word>& words, const Lookup& lookup, const Present& present) {
  std::vector<std::string> out;
  if (Result<> added = add_all(out, words, lookup, present); !added) return Failure(std::move(added).error());
  return out;
}

}  // namespace mlpipe::spec
