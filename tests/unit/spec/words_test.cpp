#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mlpipe/spec/expression.hpp"

namespace mlpipe::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Word text(std::string_view text) { return Word{*parse_template(text, Where{1, 1, 0})}; }
Word concat(std::vector<Word> items) { return Word{Word::Concat{std::move(items)}}; }
Word if_present(std::string input, std::vector<Word> then_words, std::vector<Word> else_words = {}) {
  return Word{Word::IfPresent{std::move(input), std::move(then_words), std::move(else_words)}};
}

Result<Value> lookup(const Reference& reference) {
  std::string name = to_string(reference);
  if (name == "inputs.tag") return Value("v1");
  if (name == "inputs.n") return Value(2.0);
  if (name == "inputs.data.path") return Value("/in/data");
  if (name == "inputs.nul") return Value(std::string("a\0b", 3));
  return fail(ErrorCode::not_found, "no {}", name);
}

bool present(std::string_view input) { return input == "tag"; }

TEST(Words, ATemplateGivesOneWordEvenWhenEmpty) {
  EXPECT_THAT(*expand({text("--n"), text("${{ inputs.n }}"), text(""), text("a b")}, lookup, present),
              ElementsAre("--n", "2", "", "a b"));
  EXPECT_THAT(*expand({}, lookup, present), IsEmpty());
}

TEST(Words, IfPresentGivesAnyNumberOfWords) {
  EXPECT_THAT(
      *expand({if_present("tag", {text("--tag"), text("${{ inputs.tag }}")}, {text("--no-tag")})}, lookup, present),
      ElementsAre("--tag", "v1"));
  EXPECT_THAT(*expand({text("x"), if_present("other", {text("--other")}), text("y")}, lookup, present),
              ElementsAre("x", "y"));
  EXPECT_THAT(*expand({if_present("other", {text("a")}, {text("b"), text("c")})}, lookup, present),
              ElementsAre("b", "c"));
}

TEST(Words, TheBranchNotTakenIsNotEvaluated) {
  EXPECT_THAT(*expand({if_present("other", {text("${{ inputs.gone }}")}, {text("fine")})}, lookup, present),
              ElementsAre("fine"));
}

TEST(Words, ConcatGivesOneWord) {
  EXPECT_THAT(
      *expand({concat({text("prefix-"), text("${{ inputs.tag }}"), if_present("tag", {text("-b")})})}, lookup, present),
      ElementsAre("prefix-v1-b"));
  EXPECT_THAT(*expand({concat({text("a"), if_present("other", {text("-b")})})}, lookup, present), ElementsAre("a"));
  EXPECT_THAT(*expand({concat({})}, lookup, present), ElementsAre(""));
}

TEST(Words, FormsNestInEachOther) {
  Word inner = if_present("tag", {concat({text("a"), concat({text("b"), text("${{ inputs.data.path }}")})})});
  EXPECT_THAT(*expand({if_present("other", {}, {inner, text("z")})}, lookup, present), ElementsAre("ab/in/data", "z"));
}

TEST(Words, SeveralWordsWithinAConcatAreAnError) {
  Result<std::vector<std::string>> result =
      expand({concat({text("a"), if_present("tag", {text("b"), text("c")})})}, lookup, present);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::invalid_input);
  EXPECT_THAT(result.error().message, HasSubstr("\"tag\" within a concatenation gives 2 words"));
}

TEST(Words, ErrorsComeThroughFromEveryDepth) {
  Result<std::vector<std::string>> result =
      expand({concat({if_present("tag", {concat({text("${{ inputs.gone }}")})})})}, lookup, present);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().message, "no inputs.gone");
}

TEST(Words, ANulByteCannotBecomeAnArgument) {
  Result<std::vector<std::string>> result = expand({text("ok"), text("${{ inputs.nul }}")}, lookup, present);
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, HasSubstr("argument 2 holds a NUL byte"));
}

TEST(Words, ReferencesAreThoseOfAllBranchesInOrder) {
  Word word = concat(
      {text("${{ inputs.a }}"), if_present("p", {text("${{ inputs.b }}")}, {text("${{ inputs.c }}-${{ inputs.d }}")})});
  std::vector<std::string> names;
  for (const Reference& reference : word.references()) names.push_back(to_string(reference));
  EXPECT_THAT(names, ElementsAre("inputs.a", "inputs.b", "inputs.c", "inputs.d"));
}

}  // namespace
}  // namespace mlpipe::spec
