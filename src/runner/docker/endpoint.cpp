#include "runner/docker/endpoint.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>
#include <thread>

namespace mlpipe::runner::docker {
namespace {

using namespace std::chrono_literals;

Failure unreachable(const Endpoint& endpoint, int number) {
  const std::string why = std::generic_category().message(number);
  std::string message = fmt::format("cannot reach the container engine at {}: {}", endpoint.address, why);
  switch (number) {
    case EACCES:
    case EPERM:
      return fail_with_hint(
          ErrorCode::permission, std::move(message),
          "add your user to the group \"docker\" (then log in again), or set DOCKER_HOST to an engine of your own");
    case ENOENT:
      return fail_with_hint(ErrorCode::unavailable, std::move(message),
                            "install and start dockerd, or set DOCKER_HOST");
    case ECONNREFUSED:
      return fail_with_hint(ErrorCode::unavailable, std::move(message),
                            "nothing listens there: start dockerd (systemctl start docker), or set DOCKER_HOST");
    case ETIMEDOUT:
      return fail_with_hint(ErrorCode::unavailable, std::move(message),
                            "the engine hangs: look at its log, or restart it");
    case EMFILE:
    case ENFILE:
      return fail_with_hint(ErrorCode::unavailable, std::move(message),
                            "allow more open files (ulimit -n), or run fewer tasks at once");
    default: return fail_with_hint(ErrorCode::unavailable, std::move(message), "check DOCKER_HOST and the engine");
  }
}

std::chrono::milliseconds left_until(MonotonicTime deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return std::max(left, 0ms);
}

// 0, or the errno value that says why a connection in progress did not come about.
int await_connection(int fd, MonotonicTime deadline) {
  while (true) {
    pollfd entry{.fd = fd, .events = POLLOUT, .revents = 0};
    const auto left = left_until(deadline);
    const int ready = ::poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
    if (ready < 0 && errno != EINTR) return errno;
    if (ready > 0) break;
    if (left == 0ms) return ETIMEDOUT;
  }
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

Result<sys::Fd> connect_unix(const Endpoint& endpoint, MonotonicTime deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (endpoint.path.size() >= sizeof address.sun_path) {
    return fail(ErrorCode::invalid_input, "the socket path {} is longer than the {} bytes a socket may have",
                endpoint.path, sizeof address.sun_path - 1);
  }
  std::memcpy(address.sun_path, endpoint.path.c_str(), endpoint.path.size() + 1);
  sys::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return unreachable(endpoint, errno);
  while (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EINTR) continue;
    // A Unix socket whose backlog is full says EAGAIN and gives nothing to poll for.
    if (errno != EAGAIN) return unreachable(endpoint, errno);
    if (left_until(deadline) == 0ms) return unreachable(endpoint, ETIMEDOUT);
    std::this_thread::sleep_for(5ms);
  }
  return fd;
}

struct AddressListDeleter {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

Result<sys::Fd> connect_tcp(const Endpoint& endpoint, MonotonicTime deadline) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int code = ::getaddrinfo(endpoint.host.c_str(), endpoint.port.c_str(), &wanted, &found); code != 0) {
    return fail_with_hint(
        ErrorCode::unavailable,
        fmt::format("cannot reach the container engine at {}: {}", endpoint.address, ::gai_strerror(code)),
        "check the host name in DOCKER_HOST");
  }
  const std::unique_ptr<addrinfo, AddressListDeleter> list(found);
  int error = ECONNREFUSED;
  for (const addrinfo* entry = list.get(); entry != nullptr; entry = entry->ai_next) {
    sys::Fd fd(::socket(entry->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, entry->ai_protocol));
    if (!fd) {
      error = errno;
      continue;
    }
    if (::connect(fd.get(), entry->ai_addr, entry->ai_addrlen) == 0) {
      error = 0;
    } else {
      error = errno == EINPROGRESS || errno == EINTR ? await_connection(fd.get(), deadline) : errno;
    }
    if (error != 0) continue;
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    return fd;
  }
  return unreachable(endpoint, error);
}

Result<Endpoint> parse_tcp(std::string_view address, std::string_view rest) {
  rest = rest.substr(0, rest.find('/'));
  Endpoint endpoint{.address = std::string(address), .path = {}, .host = std::string(rest), .port = "2375"};
  const bool bracketed = rest.starts_with('[');
  const std::size_t colon = bracketed ? rest.find("]:") : rest.rfind(':');
  if (bracketed) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos)
      return fail(ErrorCode::invalid_input, "DOCKER_HOST {}: the [ is not closed", address);
    endpoint.host = rest.substr(1, end - 1);
    if (colon != std::string_view::npos) endpoint.port = rest.substr(colon + 2);
  } else if (colon != std::string_view::npos) {
    endpoint.host = rest.substr(0, colon);
    endpoint.port = rest.substr(colon + 1);
  }
  const bool digits = !endpoint.port.empty() && std::all_of(endpoint.port.begin(), endpoint.port.end(),
                                                            [](char c) { return c >= '0' && c <= '9'; });
  if (endpoint.host.empty() || !digits) {
    return fail_with_hint(ErrorCode::invalid_input, fmt::format("DOCKER_HOST {} is not tcp://host:port", address),
                          "write it as tcp://127.0.0.1:2375 or unix:///var/run/docker.sock");
  }
  return endpoint;
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view address) {
  constexpr std::string_view k_unix = "unix://";
  constexpr std::string_view k_tcp = "tcp://";
  constexpr std::string_view k_http = "http://";
  if (address.starts_with(k_unix)) {
    const std::string_view path = address.substr(k_unix.size());
    if (!path.starts_with('/')) {
      return fail_with_hint(ErrorCode::invalid_input,
                            fmt::format("DOCKER_HOST {}: the socket path is not absolute", address),
                            "write it as unix:///var/run/docker.sock");
    }
    return Endpoint{.address = std::string(address), .path = std::string(path), .host = {}, .port = {}};
  }
  if (address.starts_with(k_tcp)) return parse_tcp(address, address.substr(k_tcp.size()));
  if (address.starts_with(k_http)) return parse_tcp(address, address.substr(k_http.size()));
  if (address.starts_with("ssh://")) {
    return fail_with_hint(
        ErrorCode::invalid_input, fmt::format("DOCKER_HOST {}: ssh is not supported", address),
        "inputs and outputs are mounted from this machine, so the engine must run here; unset DOCKER_HOST");
  }
  if (address.starts_with("https://")) {
    return fail_with_hint(ErrorCode::invalid_input, fmt::format("DOCKER_HOST {}: TLS is not supported", address),
                          "use the engine's Unix socket: unix:///var/run/docker.sock");
  }
  return fail_with_hint(ErrorCode::invalid_input, fmt::format("DOCKER_HOST \"{}\" is not an engine address", address),
                        "write it as unix:///var/run/docker.sock or tcp://host:port");
}

Result<sys::Fd> connect_to(const Endpoint& endpoint, MonotonicTime deadline) {
  return endpoint.path.empty() ? connect_tcp(endpoint, deadline) : connect_unix(endpoint, deadline);
}

}  // namespace mlpipe::runner::docker
