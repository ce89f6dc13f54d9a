#include "runner/docker/json_lines.hpp"

#include "mlpipe/base/text.hpp"

namespace mlpipe::runner::docker {
namespace {
constexpr std::size_t k_line_limit = 1024 * 1024;
}

void JsonLines::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    overlong_ = overlong_ || pending_.size() + piece.size() > k_line_limit;
    if (!overlong_) pending_.append(piece);
    if (end == std::string_view::npos) return;
    if (!overlong_) line(pending_);
    pending_.clear();
    overlong_ = false;
    bytes.remove_prefix(end + 1);
  }
}

void JsonLines::finish() {
  if (!overlong_) line(pending_);
  pending_.clear();
}

void JsonLines::line(std::string_view text) const {
  if (trim(text).empty()) return;
  if (const Result<Value> parsed = parse_json(text, "engine message"); parsed) each_(*parsed);
}

}  // namespace mlpipe::runner::docker
