#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "mlpipe/base/value.hpp"

namespace mlpipe::runner::docker {

// Cuts a stream into the JSON objects it carries, one a line. Lines that are no JSON, or longer than 1 MiB, are
// dropped.
class JsonLines final {
 public:
  explicit JsonLines(std::function<void(const Value&)> each) : each_(std::move(each)) {}
  void feed(std::string_view bytes);
  // The stream has ended: what is left is a line as well.
  void finish();

 private:
  void line(std::string_view text) const;

  std::function<void(const Value&)> each_;
  std::string pending_;
  bool overlong_ = false;
};

}  // namespace mlpipe::runner::docker
