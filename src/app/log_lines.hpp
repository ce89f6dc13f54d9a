#pragma once

#include <array>
#include <string>
#include <string_view>

#include "app/console.hpp"
#include "mlpipe/artifact/log_file.hpp"

namespace mlpipe::app {

enum class LogForm {
  raw,    // the bytes as they are
  lines,  // a line at a time, with what LogLook says in front
  json,   // a JSON object for each line
};

struct LogLook {
  LogForm form = LogForm::raw;
  bool timestamps = false;
  std::string prefix;  // in front of each line, "train | "
  std::string task;    // for JSON
  int attempt = 1;
};

// Writes the log of one attempt to a console, piece by piece as it comes. A line belongs to one stream: those of the two do
// not mix. At most 64 KiB of a line are held back; the rest follows as a line of its own.
class LogLines final {
 public:
  LogLines(const Console& console, LogLook look) : console_(console), look_(std::move(look)) {}

  void take(const artifact::LogPiece& piece);
  // Writes what has no line end yet.
  void finish();
  // False: the reader of the console is gone.
  bool wanted() const { return wanted_; }

 private:
  struct Pending {
    std::string text;
    WallTime time{};
  };
  void write_line(artifact::LogStream stream, std::string_view line, WallTime time);
  void write(std::string_view text) { wanted_ = wanted_ && console_.out(text); }

  const Console& console_;
  LogLook look_;
  std::array<Pending, 2> pending_;  // by stream
  bool wanted_ = true;
};

}  // namespace mlpipe::app
