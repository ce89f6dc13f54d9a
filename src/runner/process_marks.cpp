#include "runner/process_marks.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <functional>
#include <new>
#include <optional>
#include <set>

#include "mlpipe/base/text.hpp"
#include "mlpipe/base/value.hpp"
#include "mlpipe/sys/fd.hpp"
#include "mlpipe/sys/file.hpp"

namespace mlpipe::runner {
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t k_max_environment = 8UL * 1024 * 1024;
// A process that forks while we look may be missed once; a fork bomb must not hold us for ever.
constexpr int k_most_rounds = 20;
constexpr int k_patience_with_dying = 5'000;  // ms: one that hangs in the kernel (a dead network share) cannot die

std::optional<ProcessMark> parse_mark(std::string_view text) {
  Result<Value> document = parse_json(text, k_process_mark);
  if (!document) return std::nullopt;
  const Value* labels = document->find("labels");
  ProcessMark mark{.name = document->text_or("name", ""), .labels = {}};
  if (mark.name.empty() || labels == nullptr || !labels->is_struct()) return std::nullopt;
  for (const auto& [name, value] : labels->as_struct()) {
    if (value.is_string()) mark.labels.emplace(name, value.as_string());
  }
  return mark;
}

// The mark in a process's environment. Zombies have none, and others' processes may not be read.
std::optional<ProcessMark> mark_of(pid_t pid) {
  const fs::path file = fs::path("/proc") / std::to_string(pid) / "environ";
  const Result<std::string> environment = sys::read_file(file, k_max_environment);
  if (!environment) return std::nullopt;
  for (std::string_view entry : split(*environment, '\0')) {
    const std::string_view name = k_process_mark;
    if (entry.starts_with(name) && entry.substr(name.size()).starts_with('='))
      return parse_mark(entry.substr(name.size() + 1));
  }
  return std::nullopt;
}

void for_each_process(const std::function<void(pid_t)>& visit) {
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    pid_t pid = 0;
    const auto [rest, wrong] = std::from_chars(name.data(), name.data() + name.size(), pid);
    // Not ourselves: started by a task, we carry the mark of another mlpipe's.
    if (wrong == std::errc() && rest == name.data() + name.size() && pid != ::getpid()) visit(pid);
  }
  // Then some may run that were not seen.
  if (error == std::errc::not_enough_memory) throw std::bad_alloc();
}

bool kill_if_marked(pid_t pid, const ProcessMark& mark) {
  if (mark_of(pid) != mark) return false;
  // The number may be another's by now: hold on to the process first, then look again.
  const sys::Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process || mark_of(pid) != mark) return false;
  if (::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0) != 0) return false;
  pollfd ended{process.get(), POLLIN, 0};
  ::poll(&ended, 1, k_patience_with_dying);
  return true;
}

}  // namespace

std::string to_text(const ProcessMark& mark) {
  Value::Struct labels;
  for (const auto& [name, value] : mark.labels) labels.emplace(name, value);
  return to_json(Value::Struct{{"name", mark.name}, {"labels", std::move(labels)}});
}

std::vector<ProcessMark> living_marks() {
  std::set<ProcessMark> marks;
  for_each_process([&](pid_t pid) {
    if (std::optional<ProcessMark> mark = mark_of(pid)) marks.insert(*std::move(mark));
  });
  return {marks.begin(), marks.end()};
}

void kill_marked(const ProcessMark& mark) {
  for (int round = 0; round < k_most_rounds; ++round) {
    bool killed = false;
    for_each_process([&](pid_t pid) { killed |= kill_if_marked(pid, mark); });
    if (!killed) return;
  }
}

}  // namespace mlpipe::runner
