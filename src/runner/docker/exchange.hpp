#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlpipe/base/result.hpp"
#include "mlpipe/sys/fd.hpp"
#include "runner/docker/response_parser.hpp"

namespace mlpipe::runner::docker {

// The next piece of a request body; an empty one ends it.
using BodySource = std::function<Result<std::string>()>;

struct Request {
  std::string method = "GET";
  std::string target;  // with the version prefix and the query
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  std::string content_type = "application/json";
  BodySource source = {};                                   // set: the body is streamed in chunks instead
  ResponseParser::Kind kind = ResponseParser::Kind::plain;  // hijacked: asks to upgrade the connection
};

// One request on one connection as a state machine that never blocks, so that one poll loop can drive several: poll
// fd() for events(), give what came to advance(). Sending and receiving overlap, so an early refusal of a long body is
// heard.
class Exchange final {
 public:
  Exchange(sys::Fd connection, Request request, BodySink sink = {});

  int fd() const { return connection_.get(); }
  short events() const;
  // An error ends the exchange: `unavailable` when the connection failed, else what the body source said.
  Result<> advance(short ready);

  const ResponseParser& response() const { return parser_; }
  bool done() const { return parser_.done(); }
  // A byte of the answer has come: the engine has certainly seen the request.
  bool answered() const { return answered_; }
  // The connection, when it can carry another request; else nothing.
  sys::Fd take_reusable();
  // Of a hijacked exchange: the raw connection and the bytes that came with the header.
  std::pair<sys::Fd, std::string> take_hijacked();

 private:
  Result<> send_some();
  Result<> refill();
  Result<> receive_some();

  sys::Fd connection_;
  Request request_;
  BodySink sink_;
  ResponseParser parser_;
  std::string out_;
  std::size_t sent_ = 0;
  bool all_produced_ = false;
  bool writable_ = true;
  bool answered_ = false;
};

}  // namespace mlpipe::runner::docker
