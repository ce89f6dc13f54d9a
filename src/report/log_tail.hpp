#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "mlpipe/engine/values.hpp"

namespace mlpipe::report {

struct LogTail {
  std::vector<std::string> lines;  // printable, each shortened
  bool whole = true;               // nothing came before them
  bool readable = false;           // there is a log
};

constexpr std::size_t k_tail_lines = 20;

// The last lines of a log, however long the log and its lines are: reads at most 64 KiB of it. A line that was rewritten with
// carriage returns (progress bars) is what was last to be seen of it.
LogTail read_log_tail(const std::filesystem::path& log, std::size_t max_lines = k_tail_lines);

// The same for bytes at hand; `whole` says whether they are the whole log.
LogTail tail_of(std::string_view bytes, bool whole, std::size_t max_lines);

// The last line of logs that grow; a log is read again only after it has grown.
class LastLines final {
 public:
  // "" when there is nothing yet.
  const std::string& of(engine::AttemptId id, const std::filesystem::path& log);
  void forget(engine::TaskId task);

 private:
  struct Seen {
    int attempt = 0;
    std::uintmax_t size = 0;
    std::string line;
  };
  std::map<engine::TaskId, Seen> seen_;
};

}  // namespace mlpipe::report
