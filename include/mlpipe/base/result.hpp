#pragma once

#include <fmt/core.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace mlpipe {

// What callers branch on. Only `unavailable` is worth trying again.
enum class ErrorCode { invalid_input, not_found, conflict, unavailable, permission, no_space, io, cancelled, internal };

// Why the world would not do something: `message` says what was tried, on what and why it failed;
// `hint`, when there is one, says what to do.
struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;
  std::string hint;
  bool operator==(const Error&) const = default;
};

using Failure = tl::unexpected<Error>;

// A value or an Error. [[nodiscard]] as a whole: a failure cannot be dropped unseen.
template <class T = void>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

// return fail(ErrorCode::io, "reading {}: {}", path, reason);
template <class... Args>
Failure fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return Failure(Error{code, fmt::format(format, std::forward<Args>(args)...), {}});
}

// The same with a hint that says what to do.
inline Failure fail_with_hint(ErrorCode code, std::string message, std::string hint) {
  return Failure(Error{code, std::move(message), std::move(hint)});
}

// Passes an error up with what was being done: "<doing>: <message>".
inline Failure within(std::string_view doing, Error error) {
  error.message = fmt::format("{}: {}", doing, error.message);
  return Failure(std::move(error));
}

// The code an errno value stands for (ENOSPC -> no_space, EACCES -> permission, ENOENT -> not_found, ...).
ErrorCode error_code_of_errno(int number);

// "<doing>: <strerror(number)>", with the code that the errno value stands for.
Failure fail_errno(std::string_view doing, int number);

// Short name for logs and JSON: "invalid_input", "not_found", ...
std::string_view to_string(ErrorCode code);

}  // namespace mlpipe
