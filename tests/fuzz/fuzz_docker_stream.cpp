#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "mlpipe/base/assert.hpp"
#include "runner/docker/dockerignore.hpp"
#include "runner/docker/json_lines.hpp"
#include "runner/docker/response_parser.hpp"
#include "runner/docker/stream_demultiplexer.hpp"

// Any bytes from the engine's socket: no crash, and the same result however the transport cuts them.
namespace {

using namespace mlpipe;
using namespace mlpipe::runner;
using namespace mlpipe::runner::docker;

class Collector final : public LogSink {
 public:
  void write(Stream stream, std::span<const std::byte> bytes) override {
    text[stream == Stream::err].append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  std::string text[2];
};

// The pieces of `bytes`, cut at lengths that the first byte chooses.
template <class Each>
void in_pieces(std::string_view bytes, std::size_t step, Each each) {
  for (std::size_t at = 0; at < bytes.size(); at += step) each(bytes.substr(at, step));
}

void check_frames(std::string_view bytes, std::size_t step) {
  Collector whole;
  StreamDemultiplexer at_once(whole);
  const bool good = at_once.feed(std::as_bytes(std::span(bytes.data(), bytes.size()))).has_value();
  Collector cut;
  StreamDemultiplexer in_steps(cut);
  bool good_in_steps = true;
  in_pieces(bytes, step, [&](std::string_view piece) {
    good_in_steps = in_steps.feed(std::as_bytes(std::span(piece.data(), piece.size()))).has_value() && good_in_steps;
  });
  MLPIPE_ASSERT(good == good_in_steps);
  MLPIPE_ASSERT(whole.text[0] == cut.text[0] && whole.text[1] == cut.text[1]);
}

void check_response(std::string_view bytes, std::size_t step, ResponseParser::Kind kind) {
  std::string body;
  const BodySink sink = [&](std::string_view piece) { body += piece; };
  ResponseParser parser(kind);
  bool good = true;
  in_pieces(bytes, step, [&](std::string_view piece) { good = good && parser.feed(piece, sink).has_value(); });
  if (good) good = parser.finish().has_value();
  MLPIPE_ASSERT(body.size() <= bytes.size());
  if (good) MLPIPE_ASSERT(parser.done() && parser.status() >= 0);
  MLPIPE_ASSERT(parser.take_leftover().size() <= bytes.size());
}

void check_lines(std::string_view bytes, std::size_t step) {
  int whole = 0;
  JsonLines at_once([&](const Value&) { ++whole; });
  at_once.feed(bytes);
  at_once.finish();
  int cut = 0;
  JsonLines in_steps([&](const Value&) { ++cut; });
  in_pieces(bytes, step, [&](std::string_view piece) { in_steps.feed(piece); });
  in_steps.finish();
  MLPIPE_ASSERT(whole == cut);
}

void check_ignore(std::string_view bytes) {
  const std::size_t line = bytes.find('\0');
  const Result<DockerIgnore> ignore = DockerIgnore::parse(bytes.substr(0, line));
  if (!ignore || line == std::string_view::npos) return;
  const std::string_view path = bytes.substr(line + 1);
  (void)ignore->excludes(path);
  (void)ignore->may_include_below(path);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t step = 1 + data[1] % 16;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  switch (data[0] % 5) {
    case 0: check_frames(bytes, step); break;
    case 1: check_response(bytes, step, ResponseParser::Kind::plain); break;
    case 2: check_response(bytes, step, ResponseParser::Kind::hijacked); break;
    case 3: check_lines(bytes, step); break;
    default: check_ignore(bytes); break;
  }
  return 0;
}
