#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "mlpipe/base/clock.hpp"
#include "mlpipe/base/result.hpp"

namespace mlpipe::sys {

struct MachineInfo {
  double cpus = 1;           // what we may use: the scheduling affinity, or the cgroup's quota when that is less
  std::uint64_t memory = 0;  // bytes: the machine's, or the cgroup's limit when that is less; 0: unknown
  std::string hostname;
  std::string boot_id;  // differs after every boot; empty when the kernel does not tell
  std::string user;     // name, or the number when it has none
  unsigned uid = 0;
  unsigned gid = 0;
};

// `root` stands for "/" in tests: the proc and sys files are read below it.
MachineInfo machine_info(const std::filesystem::path& root = "/");

// When the machine was started, by its clock as it is set now.
WallTime boot_time();

struct Gpu {
  int index = 0;
  std::string uuid;  // "GPU-..." or "MIG-..."
  std::string name;
  std::uint64_t memory = 0;  // bytes; 0 when the driver does not say
};

// The GPUs that `command` (nvidia-smi) reports. No such program: an empty list, for a machine without GPUs is no error.
// A program that fails or says something else is an Error with its words.
Result<std::vector<Gpu>> list_gpus(const std::string& command = "nvidia-smi");

// The lines of `nvidia-smi --query-gpu=index,uuid,name,memory.total --format=csv,noheader,nounits`.
Result<std::vector<Gpu>> parse_gpus(std::string_view text);

}  // namespace mlpipe::sys
