#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/fd.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::test {

struct SeenRequest {
  std::string method;
  std::string target;                          // without the version prefix
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // decoded
};

// A flag that one thread raises and others wait for; the fake server raises all it knows when it goes.
class Flag final {
 public:
  void raise() {
    const std::lock_guard lock(mutex_);
    raised_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return raised_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool raised_ = false;
};

// The engine's end of one connection, for a scripted answer.
class Peer final {
 public:
  explicit Peer(int fd) : fd_(fd) {}

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  void answer(int status, std::string_view body, std::string_view headers = "Content-Type: application/json\r\n") {
    send(fmt::format("HTTP/1.1 {} X\r\n{}Content-Length: {}\r\n\r\n{}", status, headers, body.size(), body));
  }
  void head_of_stream() {
    send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
  }
  void chunk(std::string_view text) { send(fmt::format("{:x}\r\n{}\r\n", text.size(), text)); }
  void end_of_stream() { send("0\r\n\r\n"); }
  void upgraded() {
    send(
        "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: "
        "tcp\r\n\r\n");
  }
  void frame(int stream, std::string_view bytes) {
    std::string head(8, '\0');
    head[0] = static_cast<char>(stream);
    for (int i = 0; i < 4; ++i) head[static_cast<std::size_t>(4 + i)] = static_cast<char>(bytes.size() >> (24 - 8 * i));
    send(head + std::string(bytes));
  }
  // Ends the connection cleanly.
  void close() { ::shutdown(fd_, SHUT_RDWR); }
  // Says nothing until the client, or the server's end, closes the connection.
  void hold() {
    std::array<char, 512> ignored;
    while (::recv(fd_, ignored.data(), ignored.size(), 0) > 0) {
    }
  }

 private:
  int fd_;
};

// A container engine that does what a test tells it, on a real socket, with a thread for each connection: for the orders
// of events that a real engine cannot be made to show.
class FakeEngineServer final {
 public:
  using Handler = std::function<void(Peer&, const SeenRequest&)>;

  FakeEngineServer() : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket_path().c_str(), sizeof address.sun_path - 1);
    if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
    if (::listen(listener_.get(), 64) != 0) std::abort();
    acceptor_ = std::thread([this] { accept_all(); });
  }
  // What handlers refer to must outlive the server: declare it before.
  ~FakeEngineServer() { stop(); }
  FakeEngineServer(const FakeEngineServer&) = delete;
  FakeEngineServer& operator=(const FakeEngineServer&) = delete;

  std::string socket_path() const { return (folder_.path() / "docker.sock").string(); }

  // Requests whose "METHOD target" starts so are answered by `handler`; the longest such text wins. Any time, any thread.
  void on(const std::string& start, Handler handler) {
    const std::lock_guard lock(mutex_);
    handlers_[start] = std::move(handler);
  }
  void on(const std::string& start, int status, const std::string& body) {
    on(start, [status, body](Peer& peer, const SeenRequest&) { peer.answer(status, body); });
  }

  // "METHOD target" of all requests so far, in the order in which they were read.
  std::vector<std::string> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  std::size_t connections() const {
    const std::lock_guard lock(mutex_);
    return connections_.size();
  }

  // As a killed daemon: all connections end, and nothing listens any more. Returns when no handler runs any more, so not
  // to be called from one.
  void stop() {
    vanish();
    if (acceptor_.joinable()) acceptor_.join();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  // The same without waiting, for handlers.
  void vanish() {
    const std::lock_guard lock(mutex_);
    ::shutdown(listener_.get(), SHUT_RDWR);
    stopped_ = true;
    for (const sys::Fd& connection : connections_) ::shutdown(connection.get(), SHUT_RDWR);
  }

 private:
  void accept_all() {
    while (true) {
      sys::Fd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!connection) return;
      const std::lock_guard lock(mutex_);
      if (stopped_) return;
      const int fd = connection.get();
      connections_.push_back(std::move(connection));
      threads_.emplace_back([this, fd] { serve(fd); });
    }
  }

  void serve(int fd) {
    std::string pending;
    SeenRequest request;
    while (read_request(fd, pending, request)) {
      Handler handler;
      {
        const std::lock_guard lock(mutex_);
        const std::string line = request.method + " " + request.target;
        seen_.push_back(line);
        for (const auto& [start, candidate] : handlers_) {
          if (line.starts_with(start)) handler = candidate;  // in order, so longer texts come later
        }
      }
      Peer peer(fd);
      if (handler) {
        handler(peer, request);
      } else {
        peer.answer(404, R"({"message":"page not found"})");
      }
    }
    ::shutdown(fd, SHUT_RDWR);
  }

  static bool more(int fd, std::string& pending) {
    std::array<char, 65536> buffer;
    const ssize_t count = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (count <= 0) return false;
    pending.append(buffer.data(), static_cast<std::size_t>(count));
    return true;
  }

  static bool take(int fd, std::string& pending, std::size_t size, std::string& into) {
    while (pending.size() < size) {
      if (!more(fd, pending)) return false;
    }
    into += pending.substr(0, size);
    pending.erase(0, size);
    return true;
  }

  static bool take_line(int fd, std::string& pending, std::string& line) {
    std::size_t end = 0;
    while ((end = pending.find("\r\n")) == std::string::npos) {
      if (!more(fd, pending)) return false;
    }
    line = pending.substr(0, end);
    pending.erase(0, end + 2);
    return true;
  }

  static bool read_request(int fd, std::string& pending, SeenRequest& request) {
    request = {};
    std::string line;
    if (!take_line(fd, pending, line)) return false;
    const std::size_t first = line.find(' ');
    const std::size_t second = line.find(' ', first + 1);
    request.method = line.substr(0, first);
    request.target = line.substr(first + 1, second - first - 1);
    if (request.target.starts_with("/v1.")) request.target.erase(0, request.target.find('/', 1));
    while (take_line(fd, pending, line) && !line.empty()) {
      const std::size_t colon = line.find(": ");
      request.headers[to_lower(line.substr(0, colon))] = line.substr(colon + 2);
    }
    if (request.headers.contains("content-length")) {
      return take(fd, pending, std::stoul(request.headers["content-length"]), request.body);
    }
    while (request.headers["transfer-encoding"] == "chunked") {
      if (!take_line(fd, pending, line)) return false;
      const std::size_t size = std::stoul(line, nullptr, 16);
      if (!take(fd, pending, size, request.body) || !take_line(fd, pending, line)) return false;
      if (size == 0) return true;
    }
    return true;
  }

  TempDir folder_;
  sys::Fd listener_;
  mutable std::mutex mutex_;
  std::map<std::string, Handler> handlers_;
  std::vector<std::string> seen_;
  std::list<sys::Fd> connections_;
  std::list<std::thread> threads_;
  bool stopped_ = false;
  std::thread acceptor_;
};

}  // namespace mlpipe::test
