#pragma once

#include <string>
#include <string_view>

#include "mlpipe/base/result.hpp"
#include "runner/docker/http_client.hpp"

namespace mlpipe::runner::docker {

// The engine's own words in a refusal: the "message" of its JSON, else the body, cut to a sane length.
std::string engine_message(const Response& response);

// What a refusal means: "<doing>: <the engine's message>", with the code callers branch on and a hint where we know
// one.
Failure engine_refused(std::string_view doing, const Response& response);

// The same for a container that we made: that it is not there means that someone removed it, which is no mistake of the
// user's. `unavailable` then, so that the caller looks for itself.
Failure container_refused(std::string_view doing, const Response& response);

// The same for a container that would not start: the useful part of the message first, the whole text after it.
// Not found in the image: not_found (127 in a shell); cannot be executed: invalid_input (126).
Failure start_refused(const std::string& container, const Response& response);

}  // namespace mlpipe::runner::docker
