#include <gtest/gtest.h>

#include "mlpipe/spec/diagnostic.hpp"

namespace mlpipe::spec {
namespace {

std::string shown(std::string text, Where where, std::string hint = {}) {
  return render({{Severity::error, where, "wrong", std::move(hint)}}, {{"p.yaml", std::move(text)}});
}

TEST(Diagnostic, ShowsPlaceSourceCaretAndHint) {
  EXPECT_EQ(shown("a: 1\nb: 2\n", {2, 4, 0}, "write 3"),
            "p.yaml:2:4: error: wrong\n"
            "  b: 2\n"
            "     ^\n"
            "  hint: write 3\n");
}

TEST(Diagnostic, NothingGivesNothing) { EXPECT_EQ(render({}, {{"p.yaml", "a"}}), ""); }

TEST(Diagnostic, PlacesOfNowhereShowTheFileOnly) {
  EXPECT_EQ(shown("a: 1\n", {0, 0, 0}), "p.yaml: error: wrong\n");
  EXPECT_EQ(shown("a: 1\n", {0, 0, 7}), "error: wrong\n");
}

TEST(Diagnostic, SortsByFileAndPlaceAndKeepsTheOrderOfEquals) {
  Diagnostics diagnostics = {{Severity::error, {2, 1, 1}, "fourth", {}},
                             {Severity::warning, {3, 1, 0}, "second", {}},
                             {Severity::error, {1, 2, 0}, "first", {}},
                             {Severity::error, {3, 1, 0}, "third", {}}};
  std::string text = render(diagnostics, {{"a", "x\ny\nz\n"}, {"b", "x\ny\n"}});
  EXPECT_LT(text.find("first"), text.find("second"));
  EXPECT_LT(text.find("second"), text.find("third"));
  EXPECT_LT(text.find("third"), text.find("fourth"));
  EXPECT_NE(text.find("a:3:1: warning: second"), std::string::npos);
}

TEST(Diagnostic, CaretStandsBelowCodePointsNotBytes) {
  EXPECT_EQ(shown("äöü: x\n", {1, 6, 0}), "p.yaml:1:6: error: wrong\n  äöü: x\n       ^\n");
  EXPECT_EQ(shown("日本: x\n", {1, 5, 0}), "p.yaml:1:5: error: wrong\n  日本: x\n        ^\n");  // two columns each
}

TEST(Diagnostic, TabsTakeOneColumnAndCarriageReturnsNone) {
  EXPECT_EQ(shown("\tb: 2\r\n", {1, 2, 0}), "p.yaml:1:2: error: wrong\n   b: 2\n   ^\n");
}

TEST(Diagnostic, ControlCharactersAndTurnedTextAreMadeVisible) {
  std::string text = render({{Severity::error, {1, 1, 0}, "bad \x1b[31m name \xe2\x80\xae", "\x07"}},
                            {{"p\x1b[2Jq", "a\x1b[31mb\xe2\x80\xae\xff\n"}});
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\x07'), std::string::npos);
  EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos);
  EXPECT_EQ(text.find('\xff'), std::string::npos);
}

TEST(Diagnostic, LongLinesShowWhatIsAroundTheMistake) {
  std::string line = std::string(5000, 'x') + "HERE" + std::string(5'000'000, 'y');
  std::string text = shown("a\n" + line + "\nb\n", {2, 5001, 0});
  EXPECT_LT(text.size(), 400U);
  std::size_t source = text.find('\n') + 1;
  std::size_t below = text.find('\n', source) + 1;
  // "…" is three bytes and one column.
  EXPECT_EQ(text.find("HERE") - source - 2, text.find('^') - below);
  EXPECT_EQ(text.substr(source, 5), "  …");
}

TEST(Diagnostic, PlacesBeyondTheTextAreHarmless) {
  EXPECT_EQ(shown("a\n", {9, 9, 0}), "p.yaml:9:9: error: wrong\n");
  EXPECT_EQ(shown("a", {1, 60000, 0}), "p.yaml:1:60000: error: wrong\n  a\n   ^\n");
}

TEST(Diagnostic, WarningsAreNoErrors) {
  EXPECT_FALSE(has_errors({{Severity::warning, {}, "w", {}}}));
  EXPECT_TRUE(has_errors({{Severity::warning, {}, "w", {}}, {Severity::error, {}, "e", {}}}));
}

}  // namespace
}  // namespace mlpipe::spec
