#include "runner/docker/engine_error.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "mlpipe/base/text.hpp"
#include "mlpipe/base/value.hpp"

namespace mlpipe::runner::docker {
namespace {

constexpr std::size_t k_message_limit = 4000;

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

struct Meaning {
  std::string_view text;  // in the engine's message, in lower case
  ErrorCode code;
  std::string_view hint;
};

// Of any call.
constexpr std::array k_meanings{
    Meaning{"no space left on device", ErrorCode::no_space,
            "free space where the engine keeps its data (docker system df)"},
    Meaning{"disk quota exceeded", ErrorCode::no_space,
            "free space where the engine keeps its data (docker system df)"},
    Meaning{"could not select device driver", ErrorCode::invalid_input,
            "the engine has no GPU support: install the NVIDIA container toolkit, or ask for no gpu"},
    Meaning{"bind source path does not exist", ErrorCode::invalid_input,
            "the engine cannot see that path: with a remote or virtual-machine engine it must be shared with it"},
    Meaning{"unable to find user", ErrorCode::invalid_input,
            "the image knows no such user: give it as numbers, uid:gid"},
    Meaning{"unable to find group", ErrorCode::invalid_input,
            "the image knows no such group: give it as numbers, uid:gid"},
    Meaning{"container-init binary not found", ErrorCode::invalid_input,
            "Podman has no init program: install catatonit, or name one with init_path in containers.conf"},
    Meaning{"client version", ErrorCode::invalid_input, "this engine speaks none of the API versions 1.40 to 1.47"},
    Meaning{"context deadline exceeded", ErrorCode::unavailable, ""},
    Meaning{"is shutting down", ErrorCode::unavailable, ""},
    Meaning{"ttrpc: closed", ErrorCode::unavailable, ""},
    Meaning{"transport is closing", ErrorCode::unavailable, ""},
    Meaning{"connection refused", ErrorCode::unavailable, ""},
};

// Of a start. These come as 400, 404 or 500, depending on engine and version.
constexpr std::array k_start_meanings{
    Meaning{"not found in $path", ErrorCode::not_found,
            "the image has no such program: check the command and the image"},
    Meaning{"exec format error", ErrorCode::invalid_input,
            "the program is built for another processor, or is a script without a #! line"},
    Meaning{"permission denied", ErrorCode::invalid_input, "the program is not executable: chmod +x it in the image"},
    Meaning{"no such file or directory", ErrorCode::not_found,
            "the program, or the interpreter its #! line names, is not in the image"},
    Meaning{"is a directory", ErrorCode::invalid_input, "the command names a folder"},
};

const Meaning* meaning_of(std::string_view message, std::span<const Meaning> meanings) {
  const std::string lower = to_lower(message);
  const auto found =
      std::find_if(meanings.begin(), meanings.end(), [&](const Meaning& meaning) { return has(lower, meaning.text); });
  return found == meanings.end() ? nullptr : &*found;
}

ErrorCode code_of_status(int status) {
  switch (status) {
    case 400: return ErrorCode::invalid_input;
    case 401:
    case 403: return ErrorCode::permission;
    case 404: return ErrorCode::not_found;
    case 409: return ErrorCode::conflict;
    case 429:
    case 502:
    case 503:
    case 504: return ErrorCode::unavailable;
    default: return ErrorCode::io;
  }
}

// "OCI runtime create failed: ... exec: \"nosuch\": executable file not found in $PATH: unknown" -> from the quote on.
std::string useful_part(std::string_view message) {
  for (const std::string_view mark : {"exec: ", "starting container process caused: ", "runtime create failed: "}) {
    const std::size_t at = message.rfind(mark);
    if (at == std::string_view::npos) continue;
    std::string_view part = message.substr(at + mark.size());
    if (part.ends_with(": unknown")) part.remove_suffix(std::string_view(": unknown").size());
    return std::string(part);
  }
  return std::string(message);
}

}  // namespace

std::string engine_message(const Response& response) {
  std::string message;
  if (const Result<Value> parsed = parse_json(response.body, "engine answer"); parsed) {
    message = parsed->text_or("message", "");
    if (message.empty()) message = parsed->text_or("cause", "");
  }
  if (message.empty()) message = std::string(trim(response.body));
  if (message.empty()) message = fmt::format("HTTP status {}", response.status);
  return shorten(message, k_message_limit);
}

Failure engine_refused(std::string_view doing, const Response& response) {
  const std::string message = engine_message(response);
  std::string text = fmt::format("{}: {}", doing, message);
  if (const Meaning* meaning = meaning_of(message, k_meanings); meaning != nullptr) {
    return fail_with_hint(meaning->code, std::move(text), std::string(meaning->hint));
  }
  return fail_with_hint(code_of_status(response.status), std::move(text), "");
}

Failure container_refused(std::string_view doing, const Response& response) {
  Failure refused = engine_refused(doing, response);
  if (response.status == 404) refused.value().code = ErrorCode::unavailable;
  return refused;
}

Failure start_refused(const std::string& container, const Response& response) {
  const std::string doing = fmt::format("starting container {}", container.substr(0, 12));
  const std::string message = engine_message(response);
  // A gone container is a plain 404; only the runtime's complaints are about the command.
  const bool of_runtime = has(message, "exec") || has(message, "OCI") || has(message, "runc") || has(message, "crun");
  const Meaning* meaning = of_runtime ? meaning_of(message, k_start_meanings) : nullptr;
  if (meaning == nullptr || meaning_of(message, k_meanings) != nullptr) return container_refused(doing, response);
  const std::string part = useful_part(message);
  std::string text = part == message ? fmt::format("{}: {}", doing, message)
                                     : fmt::format("{}: {} (the engine says: {})", doing, part, message);
  return fail_with_hint(meaning->code, std::move(text), std::string(meaning->hint));
}

}  // namespace mlpipe::runner::docker
