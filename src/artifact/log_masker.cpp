#include "log_masker.hpp"

#include <algorithm>

namespace mlpipe::artifact {

namespace {

// A secret read from a file mostly ends in a newline that is not part of it.
std::string without_line_end(std::string secret) {
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  return secret;
}

}  // namespace

LogMasker::LogMasker(const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets) {
    std::string word = without_line_end(secret);
    if (!word.empty()) secrets_.push_back(std::move(word));
  }
  std::ranges::sort(secrets_, std::ranges::greater(), &std::string::size);
  for (const std::string& secret : secrets_) begins_[static_cast<unsigned char>(secret.front())] = true;
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
