#include "system.hpp"

#include "podctl/base/file.hpp"
#include "podctl/machine/memory.hpp"

#include "cgroup.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

namespace podctl::machine {
namespace {

class SystemTest : public testing::Test {
protected:
    void write(const std::string& name, std::string_view content) {
        write_file_atomically(dir / name, content);
    }
    SystemSources sources() {
        return {dir / "os-release", dir / "meminfo", dir / "membership", dir / "cgroup"};
    }
    CgroupLimits limits() { return cgroup_limits(dir / "membership", dir / "cgroup"); }
    test::TempDir dir;
};

TEST_F(SystemTest, ReadsTheNameOfTheDistribution) {
    write("os-release",
          "PRETTY_NAME=\"Ubuntu 22.04\"\nVERSION_ID=\"22.04\"\nID=ubuntu\nID_LIKE=debian\n");
    const Machine machine = inspect(sources());
    EXPECT_EQ(machine.os, "ubuntu");
    EXPECT_EQ(machine.os_version, "22.04");
}

TEST_F(SystemTest, ReadsTheMemory) {
    write("meminfo", "MemTotal:       49368152 kB\nMemFree: 1 kB\n");
    EXPECT_EQ(inspect(sources()).memory, Bytes{49'368'152ULL * 1024});
}

TEST_F(SystemTest, GetsByWithoutAnyOfTheFiles) {
    const Machine machine = inspect(sources());
    EXPECT_EQ(machine.os, "");
    EXPECT_EQ(machine.memory, Bytes{0});
    EXPECT_GE(machine.cpus, 1u);
}

TEST_F(SystemTest, StaysWithinTheQuotaOfItsCgroup) {
    write("meminfo", "MemTotal: 8388608 kB\n");
    write("membership", "0::/\n");
    write("cgroup/cpu.max", "50000 100000\n");
    write("cgroup/memory.max", "1073741824\n");
    const Machine machine = inspect(sources());
    EXPECT_EQ(machine.cpus, 1u);
    EXPECT_EQ(machine.memory, Bytes{1ULL << 30});
}

TEST_F(SystemTest, IgnoresALimitAboveTheMachine) {
    write("meminfo", "MemTotal: 1024 kB\n");
    write("membership", "0::/\n");
    write("cgroup/cpu.max", "999900000 100000\n");
    write("cgroup/memory.max", "1073741824\n");
    const Machine machine = inspect(sources());
    EXPECT_EQ(machine.memory, Bytes{1024 * 1024});
    EXPECT_LT(machine.cpus, 9'999u);
}

TEST_F(SystemTest, CountsTheCpusOfItsAffinity) {
    cpu_set_t before, one;
    ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu)
        if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    const unsigned cpus = inspect(sources()).cpus;
    ::sched_setaffinity(0, sizeof before, &before);
    EXPECT_EQ(cpus, 1u);
}

TEST_F(SystemTest, OfCgroup2TakesTheStrictestOfItselfAndItsParents) {
    write("membership", "0::/kube/pod\n");
    write("cgroup/kube/memory.max", "1000\n");
    write("cgroup/kube/cpu.max", "400000 100000\n");
    write("cgroup/kube/pod/memory.max", "2000\n");
    write("cgroup/kube/pod/cpu.max", "150000 100000\n");
    EXPECT_EQ(limits().memory, 1000u);
    EXPECT_EQ(limits().cpus, 1.5);
}

TEST_F(SystemTest, OfCgroup2WithoutLimitHasNone) {
    write("membership", "0::/\n");
    write("cgroup/cpu.max", "max 100000\n");
    write("cgroup/memory.max", "max\n");
    EXPECT_EQ(limits().memory, std::nullopt);
    EXPECT_EQ(limits().cpus, std::nullopt);
}

TEST_F(SystemTest, OfCgroup1ReadsItsControllers) {
    write("membership", "4:cpu,cpuacct:/docker/a:b\n3:memory:/docker/a:b\n1:name=systemd:/\n");
    write("cgroup/cpu/docker/a:b/cpu.cfs_quota_us", "250000\n");
    write("cgroup/cpu/docker/a:b/cpu.cfs_period_us", "100000\n");
    write("cgroup/memory/docker/a:b/memory.limit_in_bytes", "4096\n");
    EXPECT_EQ(limits().cpus, 2.5);
    EXPECT_EQ(limits().memory, 4096u);
}

TEST_F(SystemTest, OfCgroup1WithoutANamespaceReadsTheMountItself) {
    write("membership", "4:cpu:/docker/abc\n3:memory:/docker/abc\n");
    write("cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    write("cgroup/cpu/cpu.cfs_period_us", "100000\n");
    write("cgroup/memory/memory.limit_in_bytes", "4096\n");
    EXPECT_EQ(limits().cpus, std::nullopt);
    EXPECT_EQ(limits().memory, 4096u);
}

TEST_F(SystemTest, OfANamespaceThatWasLeftStaysBelowTheMount) {
    write("membership", "0::/../other\n");
    write("cgroup/memory.max", "77\n");
    write("other/memory.max", "5\n");
    EXPECT_EQ(limits().memory, 77u);
}

TEST_F(SystemTest, SurvivesNonsense) {
    write("membership", "\nno colons\n0:\n0::\n7::/x\n");
    write("cgroup/cpu.max", "ten\n");
    write("cgroup/memory.max", "99999999999999999999999\n");
    write("meminfo", "MemTotal:");
    write("os-release", "ID\nID=\nVERSION_ID='\n");
    EXPECT_EQ(limits().memory, std::nullopt);
    EXPECT_EQ(inspect(sources()).memory, Bytes{0});
    EXPECT_EQ(inspect(sources()).os_version, "'");
}

TEST_F(SystemTest, HasTheMemoryAvailableThatTheKernelTells) {
    write("meminfo", "MemTotal: 8000 kB\nMemFree: 1 kB\nMemAvailable:    5000 kB\n");
    EXPECT_EQ(available_memory(sources()), Bytes{5000 * 1024});
}

TEST_F(SystemTest, HasNoMemoryAvailableWhereNothingTells) {
    EXPECT_EQ(available_memory(sources()), Bytes{0});
    write("meminfo", "MemTotal: 8000 kB\nMemAvailable:");
    EXPECT_EQ(available_memory(sources()), Bytes{0});
}

TEST_F(SystemTest, OfCgroup2HasWhatTheStrictestGroupLeaves) {
    write("meminfo", "MemAvailable: 1000000 kB\n");
    write("membership", "0::/kube/pod\n");
    write("cgroup/kube/memory.max", "900000\n");
    write("cgroup/kube/memory.high", "max\n");
    write("cgroup/kube/memory.current", "500000\n");
    write("cgroup/kube/pod/memory.max", "max\n");
    write("cgroup/kube/pod/memory.current", "400000\n");
    EXPECT_EQ(available_memory(sources()), Bytes{400'000});
    write("cgroup/kube/pod/memory.high", "450000\n");
    EXPECT_EQ(available_memory(sources()), Bytes{50'000});
}

TEST_F(SystemTest, CountsTheFilesInMemoryOfACgroupAsFree) {
    write("meminfo", "MemAvailable: 1000000 kB\n");
    write("membership", "0::/\n");
    write("cgroup/memory.max", "1000000\n");
    write("cgroup/memory.current", "990000\n");
    write("cgroup/memory.stat",
          "anon 1000\nfile 800000\ninactive_anon 7\nactive_file 100000\ninactive_file 200000\n");
    EXPECT_EQ(available_memory(sources()), Bytes{310'000});
}

TEST_F(SystemTest, OfCgroup1HasWhatItsMemoryControllerLeaves) {
    write("meminfo", "MemAvailable: 1000000 kB\n");
    write("membership", "9:name=systemd:/\n4:cpu,memory:/docker/a\n0::/\n");
    write("cgroup/memory/docker/a/memory.limit_in_bytes", "600000\n");
    write("cgroup/memory/docker/a/memory.usage_in_bytes", "500000\n");
    write("cgroup/memory/docker/a/memory.stat",
          "inactive_file 1\nactive_file 1\ntotal_inactive_file 30000\ntotal_active_file 20000\n");
    write("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    write("cgroup/memory/memory.usage_in_bytes", "700000\n");
    EXPECT_EQ(available_memory(sources()), Bytes{150'000});
}

TEST_F(SystemTest, OfACgroupThatUsesMoreThanItMayHasNothing) {
    write("meminfo", "MemAvailable: 1000000 kB\n");
    write("membership", "0::/\n");
    write("cgroup/memory.high", "1000\n");
    write("cgroup/memory.current", "5000\n");
    EXPECT_EQ(available_memory(sources()), Bytes{0});
}

TEST_F(SystemTest, OfACgroupThatDoesNotTellWhatItUsesKnowsNothing) {
    write("meminfo", "MemAvailable: 1000 kB\n");
    write("membership", "0::/\n");
    write("cgroup/memory.max", "1000\n");
    EXPECT_EQ(available_memory(sources()), Bytes{1000 * 1024});
}

TEST(Machine, HasMemoryAvailable) {
    EXPECT_GT(available_memory().count, 0u);
}

TEST(Machine, ThatRunsTheTestsIsKnown) {
    const Machine machine = inspect();
    EXPECT_NE(machine.os, "");
    EXPECT_GT(machine.memory.count, 0u);
}

}  // namespace
}  // namespace podctl::machine
