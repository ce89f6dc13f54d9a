#pragma once

#include <string>
#include <string_view>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/base/result.hpp"
#include "mlpipe/sys/fd.hpp"

namespace mlpipe::runner::docker {

// Where an engine listens.
struct Endpoint {
  std::string address;  // as people write it: "unix:///var/run/docker.sock", "tcp://host:2375"
  std::string path;     // of the socket; empty: TCP
  std::string host;
  std::string port;
  bool operator==(const Endpoint&) const = default;
};

// What DOCKER_HOST may say: unix:///path or tcp://host[:port]. Anything else is invalid_input with a hint.
Result<Endpoint> parse_endpoint(std::string_view address);

// A connected, non-blocking, close-on-exec socket, or why there is none, with a hint that says how to mend it:
// `permission`, or `unavailable` for all else (absent, refused, no answer before `deadline`).
Result<sys::Fd> connect_to(const Endpoint& endpoint, MonotonicTime deadline);

}  // namespace mlpipe::runner::docker
