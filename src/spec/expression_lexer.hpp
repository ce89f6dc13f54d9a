#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mlpipe/spec/diagnostic.hpp"
#include "mlpipe/spec/expression.hpp"

namespace mlpipe::spec {

// Walks a text and knows the place of every byte, in lines and code points.
class Cursor final {
 public:
  Cursor(std::string_view text, Where start) : text_(text), where_(start) {}

  bool at_end() const { return offset_ >= text_.size(); }
  // The byte `ahead` of the current one; NUL past the end.
  char peek(std::size_t ahead = 0) const { return offset_ + ahead < text_.size() ? text_[offset_ + ahead] : '\0'; }
  bool starts_with(std::string_view prefix) const { return rest().starts_with(prefix); }
  std::string_view rest() const { return text_.substr(offset_); }
  std::size_t offset() const { return offset_; }
  Where where() const { return where_; }
  void advance(std::size_t bytes = 1);

 private:
  std::string_view text_;
  std::size_t offset_ = 0;
  Where where_;
};

enum class TokenKind { end, name, integer, number, string, symbol };

struct Token {
  TokenKind kind = TokenKind::end;
  Where where;
  std::string text;             // name, symbol, the decoded string, or the digits as written
  std::uint64_t magnitude = 0;  // integer; at most 2^63
  double number = 0;            // number
};

// Cuts an expression into tokens, one at a time.
class Lexer final {
 public:
  Lexer(std::string_view text, Where start) : cursor_(text, start) {}

  tl::expected<Token, Diagnostic> next();
  // The name after a dot: may begin with a digit, and takes hyphens that a letter, digit or _ follows.
  tl::expected<Token, Diagnostic> next_member();

 private:
  void skip_space();
  tl::expected<Token, Diagnostic> number();
  tl::expected<Token, Diagnostic> string();
  tl::expected<Token, Diagnostic> symbol();
  tl::expected<std::string, Diagnostic> escape();

  Cursor cursor_;
};

// A diagnostic of an expression.
tl::unexpected<Diagnostic> mistake(Where where, std::string message, std::string hint = {});

// Can be written after a dot.
bool is_member_name(std::string_view text);

}  // namespace mlpipe::spec
