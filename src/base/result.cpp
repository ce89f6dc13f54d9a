#include "mlpipe/base/result.hpp"

#include <cerrno>
#include <system_error>

namespace mlpipe {

ErrorCode error_code_of_errno(int number) {
  switch (number) {
    case ENOENT:
    case ENOTDIR:
    case ESRCH: return ErrorCode::not_found;
    case EACCES:
    case EPERM:
    case EROFS: return ErrorCode::permission;
    case ENOSPC:
    case EDQUOT: return ErrorCode::no_space;
    case EEXIST:
    case EBUSY: return ErrorCode::conflict;
    case EAGAIN:
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case ETIMEDOUT: return ErrorCode::unavailable;
    case EINVAL:
    case EISDIR:
    case ENAMETOOLONG: return ErrorCode::invalid_input;
    default: return ErrorCode::io;
  }
}

Failure fail_errno(std::string_view doing, int number) {
  return Failure(
      Error{error_code_of_errno(number), fmt::format("{}: {}", doing, std::generic_category().message(number)), {}});
}

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_input: return "invalid_input";
    case ErrorCode::not_found: return "not_found";
    case ErrorCode::conflict: return "conflict";
    case ErrorCode::unavailable: return "unavailable";
    case ErrorCode::permission: return "permission";
    case ErrorCode::no_space: return "no_space";
    case ErrorCode::io: return "io";
    case ErrorCode::cancelled: return "cancelled";
    case ErrorCode::internal: return "internal";
  }
  return "internal";
}

}  // namespace mlpipe
