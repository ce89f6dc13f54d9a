#include "spec/expression_lexer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "mlpipe/base/text.hpp"

namespace mlpipe::spec {
namespace {

constexpr std::uint64_t k_largest_magnitude = std::uint64_t{1} << 63U;  // of -9223372036854775808

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_char(char c) { return is_name_start(c) || is_digit(c); }
bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// Bytes of `text` that a name after a dot takes.
std::size_t member_length(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size()) {
    std::size_t hyphens = length;
    while (hyphens < text.size() && text[hyphens] == '-') ++hyphens;
    if (length == 0 && hyphens > 0) return 0;
    if (hyphens >= text.size() || !is_name_char(text[hyphens])) return length;
    length = hyphens + 1;
  }
  return length;
}

// The code point at the start of `text`, for a message.
std::string first_character(std::string_view text) {
  std::size_t length = 1;
  while (length < text.size() && is_continuation(text[length])) ++length;
  return printable(text.substr(0, length));
}

void append_utf8(std::string& out, std::uint32_t code) {
  auto put = [&](std::uint32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0U | code >> 6U);
    put(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    put(0xE0U | code >> 12U);
    put(0x80U | (code >> 6U & 0x3FU));
    put(0x80U | (code & 0x3FU));
  } else {
    put(0xF0U | code >> 18U);
    put(0x80U | (code >> 12U & 0x3FU));
    put(0x80U | (code >> 6U & 0x3FU));
    put(0x80U | (code & 0x3FU));
  }
}

struct WrongSymbol {
  std::string_view text;
  std::string_view hint;
};

// What people write that this language writes otherwise.
constexpr std::array<WrongSymbol, 8> k_wrong_symbols = {{
    {"=", "to compare, write =="},
    {"&", "for \"and\", write &&"},
    {"|", "for \"or\", write ||"},
    {"“", "text stands between ' or \""},
    {"”", "text stands between ' or \""},
    {"‘", "text stands between ' or \""},
    {"’", "text stands between ' or \""},
    {"`", "text stands between ' or \""},
}};

}  // namespace

void Cursor::advance(std::size_t bytes) {
  for (std::size_t end = std::min(offset_ + bytes, text_.size()); offset_ < end; ++offset_) {
    if (where_.line == 0) continue;  // nowhere stays nowhere
    if (text_[offset_] == '\n') {
      ++where_.line;
      where_.column = 1;
    } else if (!is_continuation(text_[offset_]) && where_.column < std::numeric_limits<std::uint16_t>::max()) {
      ++where_.column;
    }
  }
}

tl::unexpected<Diagnostic> mistake(Where where, std::string message, std::string hint) {
  return tl::make_unexpected(Diagnostic{Severity::error, where, std::move(message), std::move(hint)});
}

bool is_member_name(std::string_view text) { return !text.empty() && member_length(text) == text.size(); }

void Lexer::skip_space() {
  while (!cursor_.at_end() && std::string_view(" \t\r\n").find(cursor_.peek()) != std::string_view::npos) {
    cursor_.advance();
  }
}

tl::expected<Token, Diagnostic> Lexer::next() {
  skip_space();
  if (cursor_.at_end()) return Token{.kind = TokenKind::end, .where = cursor_.where(), .text = {}};
  char c = cursor_.peek();
  if (is_digit(c)) return number();
  if (c == '\'' || c == '"') return string();
  if (!is_name_start(c)) return symbol();
  Token token{.kind = TokenKind::name, .where = cursor_.where(), .text = {}};
  while (is_name_char(cursor_.peek())) {
    token.text += cursor_.peek();
    cursor_.advance();
  }
  return token;
}

tl::expected<Token, Diagnostic> Lexer::next_member() {
  skip_space();
  Token token{.kind = TokenKind::name, .where = cursor_.where(), .text = {}};
  token.text = cursor_.rest().substr(0, member_length(cursor_.rest()));
  if (token.text.empty()) {
    return mistake(token.where,
                   cursor_.at_end() ? "a name is missing after the dot" : "no name can begin here, after the dot",
                   "names with other characters than letters, digits, _ and - stand in brackets: tasks['my task']");
  }
  cursor_.advance(token.text.size());
  return token;
}

tl::expected<Token, Diagnostic> Lexer::number() {
  Token token{.kind = TokenKind::integer, .where = cursor_.where(), .text = {}};
  std::string_view rest = cursor_.rest();
  std::size_t length = 0;
  auto take_digits = [&] {
    while (length < rest.size() && is_digit(rest[length])) ++length;
  };
  auto digit_at = [&](std::size_t at) { return at < rest.size() && is_digit(rest[at]); };
  take_digits();
  if (length < rest.size() && rest[length] == '.' && digit_at(length + 1)) {
    token.kind = TokenKind::number;
    ++length;
    take_digits();
  }
  if (length < rest.size() && (rest[length] == 'e' || rest[length] == 'E')) {
    std::size_t exponent = length + 1;
    if (exponent < rest.size() && (rest[exponent] == '+' || rest[exponent] == '-')) ++exponent;
    if (digit_at(exponent)) {
      token.kind = TokenKind::number;
      length = exponent;
      take_digits();
    }
  }
  if (length < rest.size() && is_name_char(rest[length])) {
    return mistake(token.where,
                   fmt::format("\"{}\" is neither a number nor a name",
                               shorten(rest.substr(0, length + member_length(rest.substr(length))), 40)),
                   "numbers are decimal, like 42, 0.5 or 1e-3");
  }
  token.text = rest.substr(0, length);
  const char* begin = token.text.data();
  const char* end = begin + token.text.size();
  std::errc error{};
  if (token.kind == TokenKind::integer) {
    error = std::from_chars(begin, end, token.magnitude).ec;
    if (token.magnitude > k_largest_magnitude) error = std::errc::result_out_of_range;
  } else {
    error = std::from_chars(begin, end, token.number).ec;
  }
  if (error != std::errc{}) {
    return mistake(token.where, fmt::format("the number {} is out of range", shorten(token.text, 40)),
                   token.kind == TokenKind::integer ? "integers have 64 bits; write 1e30 for a larger number" : "");
  }
  cursor_.advance(length);
  return token;
}

tl::expected<Token, Diagnostic> Lexer::string() {
  Token token{.kind = TokenKind::string, .where = cursor_.where(), .text = {}};
  char quote = cursor_.peek();
  cursor_.advance();
  while (true) {
    if (cursor_.at_end() || cursor_.peek() == '\n') {
      return mistake(token.where, fmt::format("the text that begins with {} here has no end", quote),
                     fmt::format("end it with {} on the same line; write \\n for a line break", quote));
    }
    if (cursor_.peek() == quote) break;
    if (cursor_.peek() == '\\') {
      tl::expected<std::string, Diagnostic> character = escape();
      if (!character) return tl::make_unexpected(std::move(character).error());
      token.text += *character;
      continue;
    }
    if (cursor_.peek() == '\0') return mistake(cursor_.where(), "a NUL byte cannot be part of a text");
    token.text += cursor_.peek();
    cursor_.advance();
  }
  cursor_.advance();
  return token;
}

tl::expected<std::string, Diagnostic> Lexer::escape() {
  constexpr std::string_view k_letters = R"(\'"nrtbf)";
  constexpr std::string_view k_meanings = "\\'\"\n\r\t\b\f";
  Where where = cursor_.where();
  char letter = cursor_.peek(1);
  if (std::size_t at = k_letters.find(letter); letter != '\0' && at != std::string_view::npos) {
    cursor_.advance(2);
    return std::string(1, k_meanings[at]);
  }
  std::size_t digits = letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
  if (digits == 0) {
    return mistake(where, fmt::format("\"\\{}\" is no escape", first_character(cursor_.rest().substr(1))),
                   R"(escapes are \\ \' \" \n \r \t \b \f \uXXXX \UXXXXXXXX)");
  }
  std::string_view hex = cursor_.rest().substr(2, digits);
  std::uint32_t code = 0;
  auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
  if (error != std::errc{} || end != hex.data() + digits) {
    return mistake(where, fmt::format("\\{} takes {} hexadecimal digits", letter, digits));
  }
  if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
    return mistake(where, fmt::format("\\{}{} is no character", letter, hex),
                   "characters beyond U+FFFF are written as \\U and 8 digits");
  }
  cursor_.advance(2 + digits);
  std::string out;
  append_utf8(out, code);
  return out;
}

tl::expected<Token, Diagnostic> Lexer::symbol() {
  constexpr std::array<std::string_view, 22> k_symbols = {"==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "+", "-",
                                                          "*",  "/",  "%",  "(",  ")",  "[",  "]", ",", ".", "?", ":"};
  for (std::string_view symbol : k_symbols) {
    if (!cursor_.starts_with(symbol)) continue;
    Token token{.kind = TokenKind::symbol, .where = cursor_.where(), .text = std::string(symbol)};
    cursor_.advance(symbol.size());
    return token;
  }
  std::string hint;
  for (const WrongSymbol& wrong : k_wrong_symbols) {
    if (cursor_.starts_with(wrong.text)) hint = wrong.hint;
  }
  return mistake(cursor_.where(), fmt::format("unexpected character {}", first_character(cursor_.rest())), hint);
}

}  // namespace mlpipe::spec
