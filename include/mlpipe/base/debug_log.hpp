#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace mlpipe {

// What mlpipe does, step by step, for whoever looks for a fault. It is no part of the record, and is never given what may be a
// secret: no bodies of requests, no environments.
class DebugLog {
 public:
  DebugLog() = default;
  DebugLog(const DebugLog&) = delete;
  DebugLog& operator=(const DebugLog&) = delete;
  virtual ~DebugLog() = default;
  // One line. Any thread. `topic`: what part of the program it is about, "engine", "cache", "record".
  virtual void write(std::string_view topic, std::string_view text) = 0;
};

// A line for `log`, put together only if there is one.
template <class... Arguments>
void debug(DebugLog* log, std::string_view topic, fmt::format_string<Arguments...> text, Arguments&&... arguments) {
  if (log != nullptr) log->write(topic, fmt::format(text, std::forward<Arguments>(arguments)...));
}

}  // namespace mlpipe
