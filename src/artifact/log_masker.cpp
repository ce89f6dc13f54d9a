#include "log_masker.hpp"

#include <algorithm>

#include "mlpipe/artifact/log_file.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/base/value.hpp"

namespace mlpipe::artifact {

namespace {

// Of a secret of several lines: shorter ones, brackets and the like, tell nothing, and stand everywhere.
constexpr std::size_t k_least_line = 8;

constexpr std::string_view k_cut = "…";
constexpr std::size_t k_least_piece = 2;  // of a secret that was cut short

// A secret read from a file mostly ends in a newline that is not part of it.
std::string without_line_end(std::string secret) {
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  return secret;
}

}  // namespace

LogMasker::LogMasker(const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets) {
    std::string word = without_line_end(secret);
    add_lines(word);
    // JSON has its own spelling of quotes, backslashes and line ends, and messages and logs are full of JSON.
    const std::string quoted = to_json(Value(word));
    if (std::string inside = quoted.substr(1, quoted.size() - 2); inside != word) secrets_.push_back(std::move(inside));
    if (!word.empty()) secrets_.push_back(std::move(word));
  }
  std::ranges::sort(secrets_, std::ranges::greater(), &std::string::size);
  for (const std::string& secret : secrets_) begins_[static_cast<unsigned char>(secret.front())] = true;
}

// Of a key or a document a task may print a part.
void LogMasker::add_lines(std::string_view secret) {
  if (secret.find('\n') == std::string_view::npos) return;
  for (std::string_view line : split(secret, '\n')) {
    line = trim(line);
    if (line.size() >= k_least_line) secrets_.emplace_back(line);
  }
}

std::string mask_secrets(std::string_view text, const std::vector<std::string>& secrets) {
  LogMasker masker(secrets);
  std::string masked(masker.pass(text));
  masked += masker.finish();
  // A message may have cut one short: "correct ho…".
  for (std::size_t cut = masked.find(k_cut); cut != std::string::npos; cut = masked.find(k_cut, cut + k_cut.size())) {
    const std::string_view before = std::string_view(masked).substr(0, cut);
    std::size_t longest = 0;
    for (const std::string& secret : secrets) {
      std::size_t size = std::min(secret.size(), before.size());
      while (size >= k_least_piece && !before.ends_with(std::string_view(secret).substr(0, size))) --size;
      if (size >= k_least_piece) longest = std::max(longest, size);
    }
    if (longest == 0) continue;
    masked.replace(cut - longest, longest, "***");
    cut = cut - longest + 3;
  }
  return masked;
}

std::string_view LogMasker::pass(std::string_view bytes) {
  if (secrets_.empty()) return bytes;
  if (held_.empty()) return mask(bytes, More::may_come);
  joined_ = held_;
  joined_ += bytes;
  return mask(joined_, More::may_come);
}

std::string_view LogMasker::finish() {
  joined_ = held_;
  return mask(joined_, More::none);
}

std::string_view LogMasker::mask(std::string_view text, More more) {
  masked_.clear();
  held_.clear();
  std::size_t plain = 0;  // where what is not yet copied begins
  std::size_t at = 0;
  while (at < text.size()) {
    if (!begins_[static_cast<unsigned char>(text[at])]) {
      ++at;
      continue;
    }
    const std::string_view rest = text.substr(at);
    const auto found = std::ranges::find_if(secrets_, [&](const std::string& secret) {
      return rest.starts_with(secret) || (more == More::may_come && std::string_view(secret).starts_with(rest));
    });
    if (found == secrets_.end()) {
      ++at;
      continue;
    }
    masked_ += text.substr(plain, at - plain);
    if (found->size() > rest.size()) {  // may become this secret
      held_ = rest;
      return masked_;
    }
    masked_ += "***";
    at += found->size();
    plain = at;
  }
  masked_ += text.substr(plain);
  return masked_;
}

}  // namespace mlpipe::artifact
