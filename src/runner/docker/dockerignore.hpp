#pragma once

#include <bitset>
#include <string>
#include <string_view>
#include <vector>

#include "mlpipe/base/result.hpp"

namespace mlpipe::runner::docker {

// The patterns of a .dockerignore: `*` and `?` within a name, `**` across folders, [classes], `!` to take back, later
// lines win, and a pattern that matches a folder matches all in it. Matching takes O(length of pattern * length of
// path).
class DockerIgnore final {
 public:
  static Result<DockerIgnore> parse(std::string_view text);

  // `path` is relative to the context, with '/' between names.
  bool excludes(std::string_view path) const;
  // Whether something in the excluded folder `path` may be taken back by a `!` pattern.
  bool may_include_below(std::string_view path) const;

 private:
  enum class Kind { literal, any_one, any_in_name, any_folders, anything, one_of };
  struct Token {
    Kind kind = Kind::literal;
    char literal = 0;
    std::bitset<256> members = {};
  };
  struct Pattern {
    bool takes_back = false;
    std::string fixed_start;  // up to the first wildcard
    std::vector<Token> tokens;
  };

  static Result<std::vector<Token>> compile(std::string_view pattern);
  static Result<Token> compile_class(std::string_view pattern, std::size_t& at);
  static bool matches(const std::vector<Token>& tokens, std::string_view path);

  std::vector<Pattern> patterns_;
};

}  // namespace mlpipe::runner::docker
