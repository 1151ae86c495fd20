#include "podctl/base/file.hpp"
#include "podctl/machine/machine.hpp"

#include "gpus.hpp"
#include "support/set_env.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

namespace podctl::machine {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class NvmlTest : public testing::Test {
protected:
    void set_fault(const char* fault) { fault_.emplace("PODCTL_FAKE_NVML_FAULT", fault); }
    // Only the libraries are this test's; the rest of a machine that the tests run on stays out.
    GpuSources sources(std::vector<std::string> libraries) const {
        return {.libraries = std::move(libraries),
                .nvidia_smi = "nothing-of-this-name",
                .driver = dir / "version",
                .pci_devices = dir / "pci"};
    }
    Gpus with_nvml() const {
        return inspect_gpus(sources({"nothing-of-this-name.so.1", PODCTL_FAKE_NVML_LIBRARY}));
    }
    Gpus without_nvml() const { return inspect_gpus(sources({"nothing-of-this-name.so.1"})); }
    test::TempDir dir;

private:
    std::optional<test::SetEnv> fault_;
};

TEST_F(NvmlTest, TellsEveryGpuAndTheDriver) {
    const Gpus gpus = with_nvml();
    ASSERT_EQ(gpus.devices.size(), 2u);
    EXPECT_EQ(gpus.devices[0].name, "NVIDIA GeForce RTX 4090");
    EXPECT_EQ(gpus.devices[0].memory, Bytes{25'757'220'864});
    EXPECT_EQ(gpus.devices[0].free, Bytes{25'757'220'864 - (512U << 20U)});
    EXPECT_EQ(gpus.devices[0].compute_capability, 89);
    EXPECT_EQ(gpus.devices[0].uuid, "GPU-3a1f0c52-4b7e-8d19-a6c0-f2e85d3b4090");
    EXPECT_EQ(gpus.devices[1].compute_capability, 90);
    EXPECT_EQ(gpus.driver, "550.54.15");
    EXPECT_EQ(gpus.cuda, 12040);
    EXPECT_EQ(gpus.problem, "");
}

TEST_F(NvmlTest, SaysWhyItDoesNotStart) {
    set_fault("init");
    const Gpus gpus = with_nvml();
    EXPECT_THAT(gpus.devices, IsEmpty());
    EXPECT_EQ(gpus.problem, "NVML does not start: Driver Not Loaded");
}

TEST_F(NvmlTest, LeavesOutAGpuThatIsLost) {
    set_fault("memory");
    const Gpus gpus = with_nvml();
    ASSERT_EQ(gpus.devices.size(), 1u);
    EXPECT_EQ(gpus.devices[0].compute_capability, 90);
    EXPECT_EQ(gpus.problem, "GPU 0 does not answer: GPU is lost");
}

TEST_F(NvmlTest, TakesAGpuWithoutMemoryOfItsOwn) {
    set_fault("no_memory");
    const Gpus gpus = with_nvml();
    ASSERT_EQ(gpus.devices.size(), 2u);
    EXPECT_EQ(gpus.devices[0].memory, Bytes{0});
    EXPECT_EQ(gpus.problem, "");
}

TEST_F(NvmlTest, NeedsNoUuid) {
    set_fault("uuid");
    const Gpus gpus = with_nvml();
    ASSERT_EQ(gpus.devices.size(), 2u);
    EXPECT_EQ(gpus.devices[0].uuid, "");
    EXPECT_EQ(gpus.problem, "");
}

TEST_F(NvmlTest, TakesTheCudaVersionFromTheDriversWhereNothingTellsIt) {
    set_fault("cuda");
    EXPECT_EQ(with_nvml().cuda, 12040);
}

TEST_F(NvmlTest, SaysWhenADriverSeesNoGpu) {
    set_fault("no_gpu");
    EXPECT_THAT(with_nvml().problem, HasSubstr("sees no GPU"));
}

TEST_F(NvmlTest, RefusesALibraryThatIsNoNvml) {
    const Gpus gpus = inspect_gpus(sources({"libc.so.6"}));
    EXPECT_EQ(gpus.problem, "the NVIDIA driver is too old: NVML has no nvmlInit_v2");
}

TEST_F(NvmlTest, IsNotMissedOnAMachineWithoutAGpu) {
    const Gpus gpus = without_nvml();
    EXPECT_THAT(gpus.devices, IsEmpty());
    EXPECT_EQ(gpus.driver, "");
    EXPECT_EQ(gpus.cuda, 0);
    EXPECT_EQ(gpus.problem, "");
}

TEST_F(NvmlTest, IsMissedWhereTheHostHasADriver) {
    write_file_atomically(dir / "version", "NVRM version: …");
    EXPECT_THAT(without_nvml().problem, HasSubstr("--gpus all"));
}

TEST_F(NvmlTest, IsMissedWhereAGpuIsOnTheBus) {
    write_file_atomically(dir / "pci/0000:01:00.0/vendor", "0x10de\n");
    write_file_atomically(dir / "pci/0000:01:00.0/class", "0x030000\n");
    EXPECT_THAT(without_nvml().problem, HasSubstr("no NVIDIA driver"));
}

TEST_F(NvmlTest, IsNotMissedForANetworkCardOfNvidia) {
    write_file_atomically(dir / "pci/0000:01:00.0/vendor", "0x10de\n");
    write_file_atomically(dir / "pci/0000:01:00.0/class", "0x020000\n");
    EXPECT_EQ(without_nvml().problem, "");
}

}  // namespace
}  // namespace podctl::machine
