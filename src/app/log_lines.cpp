#include "app/log_lines.hpp"

#include <fmt/format.h>

#include "mlpipe/base/text.hpp"
#include "mlpipe/base/value.hpp"

namespace mlpipe::app {
namespace {

constexpr std::size_t k_longest_line = 64 * 1024;

std::string time_text(WallTime time) {
  return time == WallTime() ? std::string(24, '-') : to_rfc3339(time);  // as long as a time
}

// Where a text that had to be cut may be cut: not within a UTF-8 sequence.
std::size_t cut_of(std::string_view text) {
  for (std::size_t back = 1; back <= 4 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xc0) == 0x80) continue;
    const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? text.size() - back : text.size();
  }
  return text.size();
}

// What a terminal would show of a line that was written over with carriage returns.
std::string_view last_state(std::string_view line) {
  while (line.ends_with('\r')) line.remove_suffix(1);
  const std::size_t at = line.rfind('\r');
  return at == std::string_view::npos ? line : line.substr(at + 1);
}

}  // namespace

void LogLines::take(const artifact::LogPiece& piece) {
  if (look_.form == LogForm::raw) return write(piece.bytes);
  Pending& pending = pending_[static_cast<std::size_t>(piece.stream)];
  std::string_view rest = piece.bytes;
  while (!rest.empty() && wanted_) {
    if (pending.text.empty()) pending.time = piece.time;
    const std::size_t end = rest.find('\n');
    if (end != std::string_view::npos) {
      pending.text += rest.substr(0, end);
      write_line(piece.stream, pending.text, pending.time);
      pending.text.clear();
      rest.remove_prefix(end + 1);
      continue;
    }
    pending.text += rest;
    rest = {};
  }
  while (pending.text.size() >= k_longest_line && wanted_) {
    const std::size_t cut = cut_of(std::string_view(pending.text).substr(0, k_longest_line));
    write_line(piece.stream, std::string_view(pending.text).substr(0, cut), pending.time);
    pending.text.erase(0, cut);
    pending.time = piece.time;
  }
}

void LogLines::finish() {
  for (const artifact::LogStream stream : {artifact::LogStream::out, artifact::LogStream::err}) {
    Pending& pending = pending_[static_cast<std::size_t>(stream)];
    if (!pending.text.empty()) write_line(stream, pending.text, pending.time);
    pending.text.clear();
  }
}

void LogLines::write_line(artifact::LogStream stream, std::string_view line, WallTime time) {
  if (look_.form == LogForm::json) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    Value::Struct value{{"task", look_.task},
                        {"attempt", look_.attempt},
                        {"stream", stream == artifact::LogStream::out ? "stdout" : "stderr"},
                        {"text", line}};
    if (time != WallTime()) value.emplace("time", to_rfc3339(time));
    return write(to_json(value) + "\n");
  }
  std::string text = styled(look_.prefix, Style::active, console_.color);
  if (look_.timestamps) text += styled(time_text(time), Style::faint, console_.color) + " ";
  if (console_.destination == Destination::terminal)
    text += printable(last_state(line));
  else
    text += line;
  write(text += "\n");
}

}  // namespace mlpipe::app
