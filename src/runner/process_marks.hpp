#pragma once

#include <map>
#include <string>
#include <vector>

namespace mlpipe::runner {

constexpr const char* k_process_mark = "MLPIPE_CONTAINER";

// Which attempt a process belongs to, as its environment says. Descendants inherit it, whatever session they are in.
struct ProcessMark {
  std::string name;
  std::map<std::string, std::string> labels;
  bool operator==(const ProcessMark&) const = default;
  auto operator<=>(const ProcessMark&) const = default;
};

std::string to_text(const ProcessMark& mark);

// Every mark that a living process of ours carries, once each.
std::vector<ProcessMark> living_marks();

// Kills every process that carries `mark`, until there is none left.
void kill_marked(const ProcessMark& mark);

}  // namespace mlpipe::runner
