#include "mlpipe/sys/machine.hpp"

#include <pwd.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <memory>
#include <optional>

#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/file.hpp"
#include "mlpipe/sys/subprocess.hpp"

namespace mlpipe::sys {
namespace fs = std::filesystem;

namespace {

std::string small_file(const fs::path& path) {
  Result<std::string> text = read_file(path, 1024UL * 1024);
  return text ? std::string(trim(*text)) : std::string();
}

std::optional<std::int64_t> integer(std::string_view text) {
  text = trim(text);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

int allowed_cpus() {
  for (int most = 1024; most <= 1024 * 1024; most *= 4) {  // the kernel refuses a set smaller than its own
    struct Freer {
      void operator()(cpu_set_t* set) const { CPU_FREE(set); }
    };
    const std::unique_ptr<cpu_set_t, Freer> set(CPU_ALLOC(static_cast<std::size_t>(most)));
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(most));
    if (::sched_getaffinity(0, bytes, set.get()) == 0) return std::max(1, CPU_COUNT_S(bytes, set.get()));
  }
  return static_cast<int>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

struct Limits {
  std::optional<double> cpus;
  std::optional<std::uint64_t> memory;

  void lower_cpus(std::optional<std::int64_t> quota, std::optional<std::int64_t> period) {
    if (!quota || !period || *quota <= 0 || *period <= 0) return;
    const double given = static_cast<double>(*quota) / static_cast<double>(*period);
    cpus = std::min(cpus.value_or(given), given);
  }
  void lower_memory(std::optional<std::int64_t> bytes) {
    if (!bytes || *bytes <= 0) return;
    memory = std::min(memory.value_or(UINT64_MAX), static_cast<std::uint64_t>(*bytes));
  }
};

void read_group(const fs::path& group, Limits& limits) {
  const std::string max = small_file(group / "cpu.max");  // v2: "max 100000", "50000 100000"
  if (const auto parts = split(max, ' '); parts.size() == 2) limits.lower_cpus(integer(parts[0]), integer(parts[1]));
  limits.lower_memory(integer(small_file(group / "memory.max")));
  limits.lower_cpus(integer(small_file(group / "cpu.cfs_quota_us")),
                    integer(small_file(group / "cpu.cfs_period_us")));  // v1
  limits.lower_memory(integer(small_file(group / "memory.limit_in_bytes")));
}

// The limits of our control group and of all above it. Inside a container the path that the kernel names may not be
// visible below the mount, so the mount itself is asked too: there it is the container's own group.
Limits cgroup_limits(const fs::path& root) {
  Limits limits;
  const fs::path mount = root / "sys/fs/cgroup";
  const std::string groups = small_file(root / "proc/self/cgroup");
  for (const std::string_view line : split(groups, '\n')) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const fs::path hierarchy = mount / controllers;  // v2 has no controllers here: the mount itself
    fs::path group = fs::path(line.substr(second + 1)).relative_path();
    for (; !group.empty(); group = group.parent_path()) read_group(hierarchy / group, limits);
    read_group(hierarchy, limits);
  }
  return limits;
}

std::uint64_t total_memory(const fs::path& root) {
  const std::string info = small_file(root / "proc/meminfo");
  for (const std::string_view line : split(info, '\n')) {
    if (!line.starts_with("MemTotal:")) continue;
    std::string_view number = trim(line.substr(9));
    number = number.substr(0, number.find(' '));
    if (const auto kibibytes = integer(number); kibibytes && *kibibytes > 0) {
      return static_cast<std::uint64_t>(*kibibytes) * 1024;
    }
  }
  return 0;
}

std::string user_name(uid_t uid) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(16UL * 1024);
  const bool known = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr;
  return known ? std::string(found->pw_name) : std::to_string(uid);
}

}  // namespace

MachineInfo machine_info(const fs::path& root) {
  MachineInfo machine;
  const Limits limits = cgroup_limits(root);
  machine.cpus = allowed_cpus();
  if (limits.cpus) machine.cpus = std::min(machine.cpus, *limits.cpus);
  machine.memory = total_memory(root);
  if (limits.memory) machine.memory = machine.memory == 0 ? *limits.memory : std::min(machine.memory, *limits.memory);
  utsname names{};
  if (::uname(&names) == 0) machine.hostname = names.nodename;
  machine.boot_id = small_file(root / "proc/sys/kernel/random/boot_id");
  machine.uid = ::geteuid();
  machine.gid = ::getegid();
  machine.user = user_name(machine.uid);
  return machine;
}

Result<std::vector<Gpu>> parse_gpus(std::string_view text) {
  std::vector<Gpu> gpus;
  for (const std::string_view line : split(text, '\n')) {
    if (trim(line).empty()) continue;
    std::vector<std::string_view> fields = split(line, ',');
    for (std::string_view& field : fields) field = trim(field);
    const std::optional<std::int64_t> index = fields.empty() ? std::nullopt : integer(fields[0]);
    if (fields.size() != 4 || !index || *index < 0 || fields[1].empty()) {
      return fail(ErrorCode::unavailable, "listing GPUs: nvidia-smi says \"{}\", not index, uuid, name and memory",
                  shorten(printable(line), 120));
    }
    const std::int64_t mebibytes = std::max<std::int64_t>(0, integer(fields[3]).value_or(0));
    gpus.push_back({.index = static_cast<int>(*index),
                    .uuid = std::string(fields[1]),
                    .name = std::string(fields[2]),
                    .memory = static_cast<std::uint64_t>(mebibytes) * 1024 * 1024});
  }
  return gpus;
}

Result<std::vector<Gpu>> list_gpus(const std::string& command) {
  const Result<CommandResult> answer =
      run_command({command, "--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits"});
  if (!answer && answer.error().code == ErrorCode::not_found) return std::vector<Gpu>();
  if (!answer) return within("listing GPUs", answer.error());
  if (!answer->ok()) {
    const std::string& words = trim(answer->err).empty() ? answer->out : answer->err;  // nvidia-smi complains on either
    return fail_with_hint(ErrorCode::unavailable,
                          fmt::format("listing GPUs: {} ended with exit code {}: {}", command, answer->exit_code,
                                      shorten(printable(trim(words)), 300)),
                          "run it yourself to see; a driver and library mismatch mends itself by a reboot");
  }
  return parse_gpus(answer->out);
}

WallTime boot_time() {
  timespec up{};
  if (::clock_gettime(CLOCK_BOOTTIME, &up) != 0) return WallTime{};
  const auto running = std::chrono::seconds(up.tv_sec) + std::chrono::nanoseconds(up.tv_nsec);
  return SystemClock().wall() - std::chrono::floor<std::chrono::milliseconds>(running);
}

}  // namespace mlpipe::sys
