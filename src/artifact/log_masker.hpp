#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace mlpipe::artifact {

// Replaces secrets, and each longer line of those of several lines, by "***" in one stream that comes in pieces. Holds back at most the length of the longest secret
// less one byte, and only bytes that may begin one.
class LogMasker final {
 public:
  explicit LogMasker(const std::vector<std::string>& secrets);

  // What may be written after `bytes` have come. The view lives until the next call; without secrets it is `bytes`.
  std::string_view pass(std::string_view bytes);
  // What was held back, at the end of the stream.
  std::string_view finish();

 private:
  void add_lines(std::string_view secret);
  enum class More { may_come, none };
  std::string_view mask(std::string_view text, More more);

  std::vector<std::string> secrets_;  // the longest first
  std::array<bool, 256> begins_{};    // by first byte
  std::string held_;
  std::string joined_;
  std::string masked_;
};

}  // namespace mlpipe::artifact
