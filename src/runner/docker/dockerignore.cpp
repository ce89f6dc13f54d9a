#include "runner/docker/dockerignore.hpp"

#include <algorithm>
#include <filesystem>

#include "mlpipe/base/text.hpp"

namespace mlpipe::runner::docker {
namespace {

std::string cleaned(std::string_view pattern) {
  std::string clean = std::filesystem::path(pattern).lexically_normal().generic_string();
  while (clean.size() > 1 && clean.ends_with('/')) clean.pop_back();
  while (clean.starts_with('/')) clean.erase(0, 1);
  return clean == "." ? std::string() : clean;
}

bool starts_one_another(std::string_view a, std::string_view b) {
  const std::size_t shared = std::min(a.size(), b.size());
  return a.substr(0, shared) == b.substr(0, shared);
}

}  // namespace

Result<DockerIgnore> DockerIgnore::parse(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  DockerIgnore ignore;
  int number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    if (line.starts_with('#')) continue;
    line = trim(line);
    const bool takes_back = line.starts_with('!');
    if (takes_back) line = trim(line.substr(1));
    const std::string pattern = cleaned(line);
    if (pattern.empty()) continue;
    Result<std::vector<Token>> tokens = compile(pattern);
    if (!tokens) return within(fmt::format(".dockerignore:{}", number), std::move(tokens).error());
    ignore.patterns_.push_back({.takes_back = takes_back,
                                .fixed_start = pattern.substr(0, pattern.find_first_of("*?[\\")),
                                .tokens = std::move(*tokens)});
  }
  return ignore;
}

Result<std::vector<DockerIgnore::Token>> DockerIgnore::compile(std::string_view pattern) {
  std::vector<Token> tokens;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    if (c == '?') {
      tokens.push_back({.kind = Kind::any_one});
    } else if (c == '*' && pattern.substr(at).starts_with("**")) {
      while (at + 1 < pattern.size() && pattern[at + 1] == '*') ++at;
      if (at + 1 < pattern.size() && pattern[at + 1] == '/') ++at;
      tokens.push_back({.kind = at + 1 == pattern.size() ? Kind::anything : Kind::any_folders});
    } else if (c == '*') {
      tokens.push_back({.kind = Kind::any_in_name});
    } else if (c == '[') {
      Result<Token> token = compile_class(pattern, at);
      if (!token) return Failure(std::move(token).error());
      tokens.push_back(std::move(*token));
    } else {
      if (c == '\\' && at + 1 < pattern.size()) ++at;
      tokens.push_back({.kind = Kind::literal, .literal = pattern[at]});
    }
  }
  return tokens;
}

Result<DockerIgnore::Token> DockerIgnore::compile_class(std::string_view pattern, std::size_t& at) {
  Token token{.kind = Kind::one_of};
  const std::size_t begin = at++;
  const bool negated = at < pattern.size() && (pattern[at] == '^' || pattern[at] == '!');
  if (negated) ++at;
  const auto member = [&]() -> unsigned char {
    if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
    return static_cast<unsigned char>(pattern[at]);
  };
  for (bool first = true; at < pattern.size() && (first || pattern[at] != ']'); ++at, first = false) {
    const unsigned char low = member();
    unsigned char high = low;
    if (at + 2 < pattern.size() && pattern[at + 1] == '-' && pattern[at + 2] != ']') {
      at += 2;
      high = member();
    }
    for (unsigned value = low; value <= high; ++value) token.members.set(value);
  }
  if (at >= pattern.size()) {
    return fail(ErrorCode::invalid_input, "the [ at column {} of \"{}\" is not closed", begin + 1, pattern);
  }
  if (negated) token.members.flip();
  token.members.reset('/');
  return token;
}

// Runs the pattern as a nondeterministic automaton: `states[i]` says that the first i tokens can match what was read.
bool DockerIgnore::matches(const std::vector<Token>& tokens, std::string_view path) {
  const std::size_t count = tokens.size();
  std::vector<bool> states(count + 1, false);
  const auto skips = [&](const Token& token) {
    return token.kind == Kind::any_in_name || token.kind == Kind::any_folders || token.kind == Kind::anything;
  };
  const auto close = [&](std::vector<bool>& set) {
    for (std::size_t i = 0; i < count; ++i) {
      if (set[i] && skips(tokens[i])) set[i + 1] = true;
    }
  };
  states[0] = true;
  close(states);
  // Inside `**/` the automaton stays at its token until a '/' lets it pass; `inside` tells that from standing before
  // it.
  std::vector<bool> inside(count + 1, false);
  for (const char c : path) {
    std::vector<bool> next(count + 1, false);
    std::vector<bool> next_inside(count + 1, false);
    for (std::size_t i = 0; i < count; ++i) {
      const Token& token = tokens[i];
      if (token.kind == Kind::any_folders && (states[i] || inside[i])) {
        next_inside[i] = true;
        if (c == '/') next[i + 1] = true;
      }
      if (!states[i]) continue;
      switch (token.kind) {
        case Kind::literal: next[i + 1] = next[i + 1] || c == token.literal; break;
        case Kind::any_one: next[i + 1] = next[i + 1] || c != '/'; break;
        case Kind::one_of: next[i + 1] = next[i + 1] || token.members.test(static_cast<unsigned char>(c)); break;
        case Kind::any_in_name: next[i] = next[i] || c != '/'; break;
        case Kind::anything: next[i] = true; break;
        case Kind::any_folders: break;
      }
    }
    close(next);
    states = std::move(next);
    inside = std::move(next_inside);
  }
  return states[count];
}

bool DockerIgnore::excludes(std::string_view path) const {
  bool excluded = false;
  for (const Pattern& pattern : patterns_) {
    if (excluded != pattern.takes_back) continue;  // it could change nothing
    bool matched = matches(pattern.tokens, path);
    for (std::size_t slash = path.find('/'); !matched && slash != std::string_view::npos;
         slash = path.find('/', slash + 1)) {
      matched = matches(pattern.tokens, path.substr(0, slash));
    }
    if (matched) excluded = !pattern.takes_back;
  }
  return excluded;
}

bool DockerIgnore::may_include_below(std::string_view path) const {
  const std::string folder = std::string(path) + "/";
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const Pattern& pattern) {
    return pattern.takes_back && starts_one_another(pattern.fixed_start, folder);
  });
}

}  // namespace mlpipe::runner::docker
