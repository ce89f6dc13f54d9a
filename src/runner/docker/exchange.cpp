#include "runner/docker/exchange.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace mlpipe::runner::docker {
namespace {

constexpr std::size_t k_read_size = 64 * 1024;

std::string head_of(const Request& request) {
  // "Host: docker": a socket path here is a malformed header to dockerd.
  std::string head =
      fmt::format("{} {} HTTP/1.1\r\nHost: docker\r\nUser-Agent: mlpipe\r\n", request.method, request.target);
  for (const auto& [name, value] : request.headers) head += fmt::format("{}: {}\r\n", name, value);
  if (request.kind == ResponseParser::Kind::hijacked) head += "Connection: Upgrade\r\nUpgrade: tcp\r\n";
  if (request.source) {
    head += fmt::format("Content-Type: {}\r\nTransfer-Encoding: chunked\r\n", request.content_type);
  } else if (!request.body.empty()) {
    head += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", request.content_type, request.body.size());
  } else if (request.method == "POST") {
    head += "Content-Length: 0\r\n";
  }
  return head + "\r\n";
}

Failure connection_failed(int number) {
  return fail(ErrorCode::unavailable, "the connection to the engine failed: {}",
              std::generic_category().message(number));
}

}  // namespace

Exchange::Exchange(sys::Fd connection, Request request, BodySink sink)
    : connection_(std::move(connection)),
      request_(std::move(request)),
      sink_(std::move(sink)),
      parser_(request_.kind),
      out_(head_of(request_)) {
  if (request_.source) return;
  out_ += request_.body;
  all_produced_ = true;
}

short Exchange::events() const {
  const bool to_send = writable_ && (sent_ < out_.size() || !all_produced_);
  return static_cast<short>(POLLIN | (to_send ? POLLOUT : 0));
}

Result<> Exchange::advance(short ready) {
  if ((ready & POLLOUT) != 0) {
    if (Result<> sent = send_some(); !sent) return sent;
  }
  if ((ready & (POLLIN | POLLHUP | POLLERR)) != 0) return receive_some();
  return {};
}

Result<> Exchange::refill() {
  out_.clear();
  sent_ = 0;
  Result<std::string> piece = request_.source();
  if (!piece) return Failure(std::move(piece).error());
  all_produced_ = piece->empty();
  out_ = all_produced_ ? std::string("0\r\n\r\n") : fmt::format("{:x}\r\n", piece->size()) + *piece + "\r\n";
  return {};
}

Result<> Exchange::send_some() {
  if (!writable_) return {};
  if (sent_ == out_.size() && !all_produced_) {
    if (Result<> filled = refill(); !filled) return filled;
  }
  while (sent_ < out_.size()) {
    const ssize_t count = ::send(connection_.get(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (count >= 0) {
      sent_ += static_cast<std::size_t>(count);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return {};
    // The engine may have answered and closed before reading all: its answer, if there is one, says why.
    writable_ = false;
    return {};
  }
  return {};
}

Result<> Exchange::receive_some() {
  std::array<char, k_read_size> buffer;
  const ssize_t count = ::recv(connection_.get(), buffer.data(), buffer.size(), 0);
  if (count < 0) {
    if (errno == EINTR || errno == EAGAIN) return {};
    return connection_failed(errno);
  }
  if (count == 0) {
    writable_ = false;
    return parser_.finish();
  }
  answered_ = true;
  return parser_.feed(std::string_view(buffer.data(), static_cast<std::size_t>(count)), sink_);
}

sys::Fd Exchange::take_reusable() {
  const bool sent_all = all_produced_ && sent_ == out_.size() && writable_;
  if (!parser_.keep_alive() || !sent_all || !parser_.take_leftover().empty()) return {};
  return std::move(connection_);
}

std::pair<sys::Fd, std::string> Exchange::take_hijacked() { return {std::move(connection_), parser_.take_leftover()}; }

}  // namespace mlpipe::runner::docker
