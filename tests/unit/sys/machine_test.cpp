#include "mlpipe/sys/machine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mlpipe/sys/random.hpp"
#include "support/temp_dir.hpp"

namespace mlpipe::sys {
namespace {

namespace fs = std::filesystem;
using test::TempDir;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint64_t k_gib = 1024ULL * 1024 * 1024;

TEST(Machine, TellsOfThisOne) {
  const MachineInfo machine = machine_info();
  EXPECT_GT(machine.cpus, 0);
  EXPECT_GT(machine.memory, 16U * 1024 * 1024);
  EXPECT_FALSE(machine.hostname.empty());
  EXPECT_FALSE(machine.user.empty());
  EXPECT_EQ(machine.uid, ::geteuid());
}

TEST(Machine, TakesTotalMemoryWithoutALimit) {
  const TempDir root;
  root.write("proc/meminfo", "MemTotal:       16384000 kB\nMemFree: 1 kB\n");
  root.write("proc/sys/kernel/random/boot_id", "abc-def\n");
  const MachineInfo machine = machine_info(root.path());
  EXPECT_EQ(machine.memory, 16384000ULL * 1024);
  EXPECT_EQ(machine.boot_id, "abc-def");
  EXPECT_GE(machine.cpus, 1);
}

TEST(Machine, KeepsToCgroupV2LimitsOfAllLevels) {
  const TempDir root;
  root.write("proc/meminfo", "MemTotal: 16384000 kB\n");
  root.write("proc/self/cgroup", "0::/ci.slice/job.scope\n");
  root.write("sys/fs/cgroup/ci.slice/cpu.max", "50000 100000\n");
  root.write("sys/fs/cgroup/ci.slice/memory.max", "4294967296\n");
  root.write("sys/fs/cgroup/ci.slice/job.scope/cpu.max", "max 100000\n");
  root.write("sys/fs/cgroup/ci.slice/job.scope/memory.max", "max\n");
  const MachineInfo machine = machine_info(root.path());
  EXPECT_DOUBLE_EQ(machine.cpus, 0.5);
  EXPECT_EQ(machine.memory, 4 * k_gib);
}

TEST(Machine, KeepsToCgroupV1Limits) {
  const TempDir root;
  root.write("proc/meminfo", "MemTotal: 16384000 kB\n");
  root.write("proc/self/cgroup", "5:memory:/job\n4:cpu,cpuacct:/job\n0::/\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "25000\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  root.write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "2147483648\n");
  root.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  const MachineInfo machine = machine_info(root.path());
  EXPECT_DOUBLE_EQ(machine.cpus, 0.25);
  EXPECT_EQ(machine.memory, 2 * k_gib);
}

TEST(Machine, FindsTheLimitsAtTheMountInsideAContainer) {
  const TempDir root;
  root.write("proc/meminfo", "MemTotal: 16384000 kB\n");
  root.write("proc/self/cgroup", "5:memory:/docker/0123\n4:cpu,cpuacct:/docker/0123\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  root.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n");
  const MachineInfo machine = machine_info(root.path());
  EXPECT_GE(machine.cpus, 1);  // -1: no quota
  EXPECT_EQ(machine.memory, k_gib);
}

TEST(Machine, MakesDoWithoutAnyOfTheFiles) {
  const TempDir root;
  const MachineInfo machine = machine_info(root.path());
  EXPECT_EQ(machine.memory, 0U);
  EXPECT_EQ(machine.boot_id, "");
}

TEST(Gpus, AreParsedFromNvidiaSmi) {
  const std::vector<Gpu> gpus =
      parse_gpus("0, GPU-5bd0, NVIDIA A100-SXM4-40GB, 40960\n1, GPU-77aa, NVIDIA T4, [N/A]\n\n").value();
  ASSERT_THAT(gpus, SizeIs(2));
  EXPECT_EQ(gpus[0].index, 0);
  EXPECT_EQ(gpus[0].uuid, "GPU-5bd0");
  EXPECT_EQ(gpus[0].name, "NVIDIA A100-SXM4-40GB");
  EXPECT_EQ(gpus[0].memory, 40 * k_gib);
  EXPECT_EQ(gpus[1].uuid, "GPU-77aa");
  EXPECT_EQ(gpus[1].memory, 0U);
  EXPECT_THAT(parse_gpus("").value(), IsEmpty());
}

TEST(Gpus, OtherWordsOfNvidiaSmiAreAnError) {
  for (const char* text :
       {"No devices were found\n", "x, GPU-1, A, 1\n", "0, GPU-1, A\n", "0, , A, 1\n", "-1, G, A, 1"}) {
    EXPECT_FALSE(parse_gpus(text)) << text;
  }
}

class FakeNvidiaSmi {
 public:
  explicit FakeNvidiaSmi(const std::string& script) : file_(dir_.write("nvidia-smi", "#!/bin/sh\n" + script)) {
    ::chmod(file_.c_str(), 0755);
  }
  std::string command() const { return file_.string(); }

 private:
  TempDir dir_;
  fs::path file_;
};

TEST(Gpus, AreAskedOfTheProgram) {
  const FakeNvidiaSmi smi(
      "[ \"$*\" = '--query-gpu=index,uuid,name,memory.total --format=csv,noheader,nounits' ] || exit 9\n"
      "echo '0, GPU-a, Tesla, 100'\n");
  const Result<std::vector<Gpu>> gpus = list_gpus(smi.command());
  ASSERT_TRUE(gpus) << gpus.error().message;
  ASSERT_THAT(*gpus, SizeIs(1));
  EXPECT_EQ(gpus->front().uuid, "GPU-a");
}

TEST(Gpus, AreNoneWithoutTheProgram) { EXPECT_THAT(list_gpus("mlpipe-no-such-smi").value(), IsEmpty()); }

TEST(Gpus, AFailingProgramIsQuoted) {
  const FakeNvidiaSmi smi("echo 'Driver/library version mismatch'; exit 18\n");
  const Result<std::vector<Gpu>> gpus = list_gpus(smi.command());
  ASSERT_FALSE(gpus);
  EXPECT_THAT(gpus.error().message, HasSubstr("exit code 18: Driver/library version mismatch"));
}

TEST(Random, HexIsLongEnoughAndDiffers) {
  EXPECT_EQ(random_hex(4).size(), 4U);
  EXPECT_EQ(random_hex(0), "");
  EXPECT_EQ(random_hex(64).find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(random_hex(32), random_hex(32));
  EXPECT_NE(random_seed(), random_seed());
}

}  // namespace
}  // namespace mlpipe::sys
