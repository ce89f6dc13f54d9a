#include "runner/docker/response_parser.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <limits>
#include <utility>
#include <vector>

#include "mlpipe/base/text.hpp"

namespace mlpipe::runner::docker {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using Text = boost::beast::string_view;

constexpr std::uint32_t k_header_limit = 64 * 1024;
// Unparsed bytes held at once: a header, or the line before a chunk.
constexpr std::size_t k_pending_limit = 256 * 1024;

std::string_view view(Text text) { return {text.data(), text.size()}; }

}  // namespace

struct ResponseParser::State final : http::basic_parser<false> {
  explicit State(Kind given) : kind(given) {
    eager(true);
    header_limit(k_header_limit);
    body_limit(std::numeric_limits<std::uint64_t>::max());
    skip(kind == Kind::hijacked);
  }

  Kind kind;
  int code = 0;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string pending;
  const BodySink* sink = nullptr;

  void give(Text body) const {
    if (sink != nullptr && *sink && !body.empty()) (*sink)(view(body));
  }

 private:
  void on_request_impl(http::verb, Text, Text, int, error_code&) override {}
  void on_response_impl(int status, Text, int, error_code&) override { code = status; }
  void on_field_impl(http::field, Text name, Text value, error_code&) override {
    fields.emplace_back(to_lower(view(name)), std::string(view(value)));
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(Text body, error_code&) override {
    give(body);
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, Text, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text body, error_code&) override {
    give(body);
    return body.size();
  }
  void on_finish_impl(error_code&) override {}
};

ResponseParser::ResponseParser(Kind kind) : state_(std::make_unique<State>(kind)) {}
ResponseParser::~ResponseParser() = default;
ResponseParser::ResponseParser(ResponseParser&&) noexcept = default;
ResponseParser& ResponseParser::operator=(ResponseParser&&) noexcept = default;

Result<> ResponseParser::feed(std::string_view bytes, const BodySink& sink) {
  State& state = *state_;
  state.pending.append(bytes);
  state.sink = &sink;
  std::size_t used = 0;
  // Headers and chunk lines are parsed only when they lie whole in the buffer; body bytes are consumed as they come.
  while (!state.is_done() && used < state.pending.size()) {
    error_code error;
    const std::size_t taken =
        state.put(boost::asio::const_buffer(state.pending.data() + used, state.pending.size() - used), error);
    used += taken;
    if (error == http::error::need_more) break;
    if (error) {
      state.sink = nullptr;
      return fail(ErrorCode::unavailable, "the engine's answer is not HTTP ({}): \"{}\"", error.message(),
                  printable(std::string_view(state.pending).substr(0, 80)));
    }
    if (taken == 0) break;
  }
  state.sink = nullptr;
  state.pending.erase(0, used);
  if (!state.is_done() && state.pending.size() > k_pending_limit) {
    return fail(ErrorCode::unavailable, "the engine's answer is not HTTP: a chunk header longer than {}",
                bytes_text(k_pending_limit));
  }
  return {};
}

Result<> ResponseParser::finish() {
  State& state = *state_;
  if (state.is_done()) return {};
  if (!state.got_some()) return fail(ErrorCode::unavailable, "the engine closed the connection without an answer");
  error_code error;
  state.put_eof(error);
  if (error) return fail(ErrorCode::unavailable, "the engine closed the connection in the middle of its answer");
  return {};
}

bool ResponseParser::head_done() const { return state_->is_header_done(); }
bool ResponseParser::done() const { return state_->is_done(); }
bool ResponseParser::keep_alive() const { return state_->is_done() && state_->keep_alive() && !state_->need_eof(); }
int ResponseParser::status() const { return state_->code; }

std::string_view ResponseParser::header(std::string_view name) const {
  for (const auto& [key, value] : state_->fields) {
    if (key == name) return value;
  }
  return {};
}

std::string ResponseParser::take_leftover() { return std::exchange(state_->pending, {}); }

}  // namespace mlpipe::runner::docker
