#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "mlpipe/base/result.hpp"

namespace mlpipe::runner::docker {

// Receives a body piece by piece, decoded from chunks.
using BodySink = std::function<void(std::string_view)>;

// Parses one HTTP/1.1 response fed in pieces of any size. Memory is bounded: 64 KiB of header, no body kept.
class ResponseParser final {
 public:
  // hijacked: the connection stops being HTTP after the header; what follows is leftover.
  enum class Kind { plain, hijacked };

  explicit ResponseParser(Kind kind);
  ~ResponseParser();
  ResponseParser(ResponseParser&&) noexcept;
  ResponseParser& operator=(ResponseParser&&) noexcept;

  // Takes the next bytes; body bytes go to `sink`. Bytes after the end of the response are kept as leftover.
  Result<> feed(std::string_view bytes, const BodySink& sink);
  // The peer closed: `unavailable` when the response is cut short by that.
  Result<> finish();

  bool head_done() const;
  bool done() const;
  // The connection can carry another request afterwards.
  bool keep_alive() const;
  int status() const;
  // The first header of that name (given in lower case), or "".
  std::string_view header(std::string_view name) const;
  std::string take_leftover();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mlpipe::runner::docker
