#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/machine/machine.hpp"

#include "nvml.hpp"
#include "support/error_of.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace podctl::machine {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class NvmlTest : public testing::Test {
protected:
    void TearDown() override { ::unsetenv("PODCTL_FAKE_NVML_FAULT"); }
    static void set_fault(const char* fault) { ::setenv("PODCTL_FAKE_NVML_FAULT", fault, 1); }
    Gpus with_nvml() {
        return inspect_gpus({{"nothing-of-this-name.so.1", PODCTL_FAKE_NVML}, {}, {}});
    }
    Gpus without_nvml() {
        return inspect_gpus({{"nothing-of-this-name.so.1"}, dir / "version", dir / "pci"});
    }
    test::TempDir dir;
};

TEST_F(NvmlTest, TellsEveryGpuAndTheDriver) {
    const Gpus gpus = with_nvml();
    ASSERT_EQ(gpus.devices.size(), 2u);
    EXPECT_EQ(gpus.devices[0].name, "NVIDIA GeForce RTX 4090");
    EXPECT_EQ(gpus.devices[0].memory, Bytes{25'757'220'864});
    EXPECT_EQ(gpus.devices[0].compute_capability, 89);
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

TEST_F(NvmlTest, SaysWhenADriverSeesNoGpu) {
    set_fault("no_gpu");
    EXPECT_THAT(with_nvml().problem, HasSubstr("sees no GPU"));
}

TEST_F(NvmlTest, RefusesALibraryThatIsNoNvml) {
    const Gpus gpus = inspect_gpus({{"libc.so.6"}, {}, {}});
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

Gpus gpus(int cuda, std::vector<int> capabilities) {
    Gpus result{.devices = {}, .driver = "1.2", .cuda = cuda, .problem = {}};
    for (const int capability : capabilities)
        result.devices.push_back({.name = "GPU", .memory = {}, .compute_capability = capability});
    return result;
}

Error refusal(const Gpus& gpus) {
    return test::error_of([&] { torch_tag(gpus); });
}

TEST(TorchTag, IsCpuWithoutAGpu) {
    EXPECT_EQ(torch_tag({}), "cpu");
    EXPECT_EQ(torch_tag(gpus(12080, {})), "cpu");
}

TEST(TorchTag, IsTheNewestThatTheDriverRuns) {
    EXPECT_EQ(torch_tag(gpus(11080, {89})), "cu118");
    EXPECT_EQ(torch_tag(gpus(12020, {89})), "cu121");
    EXPECT_EQ(torch_tag(gpus(12040, {89})), "cu124");
    EXPECT_EQ(torch_tag(gpus(12050, {80})), "cu124");
    EXPECT_EQ(torch_tag(gpus(12070, {86})), "cu126");
    EXPECT_EQ(torch_tag(gpus(12080, {90})), "cu128");
    EXPECT_EQ(torch_tag(gpus(12090, {75})), "cu129");
    EXPECT_EQ(torch_tag(gpus(13010, {75})), "cu130");
}

TEST(TorchTag, IsCu126ForGpusOlderThanTuring) {
    EXPECT_EQ(torch_tag(gpus(13000, {70})), "cu126");
    EXPECT_EQ(torch_tag(gpus(13000, {61})), "cu126");
    EXPECT_EQ(torch_tag(gpus(12040, {61})), "cu124");
}

TEST(TorchTag, FitsEveryGpuOfAMixedMachine) {
    EXPECT_EQ(torch_tag(gpus(13000, {70, 89})), "cu126");
    EXPECT_EQ(torch_tag(gpus(12080, {89, 120})), "cu128");
}

TEST(TorchTag, KnowsBlackwell) {
    EXPECT_EQ(torch_tag(gpus(12080, {120})), "cu128");
    EXPECT_EQ(torch_tag(gpus(12080, {103})), "cu128");
    EXPECT_EQ(torch_tag(gpus(13000, {121})), "cu130");
}

TEST(TorchTag, RefusesBlackwellOnAnOldDriver) {
    const Error error = refusal(gpus(12060, {120}));
    EXPECT_EQ(error.kind(), ErrorKind::preflight);
    EXPECT_EQ(error.message(),
              "the NVIDIA driver 1.2 runs CUDA 12.6 at most, but GPU (compute "
              "capability 12.0) needs PyTorch with CUDA 12.8 or newer");
    EXPECT_THAT(error.hint(), HasSubstr("newer driver"));
}

TEST(TorchTag, RefusesGpusThatNoWheelHasKernelsFor) {
    EXPECT_THAT(refusal(gpus(13000, {61, 120})).message(), HasSubstr("no PyTorch wheel"));
    EXPECT_THAT(refusal(gpus(12040, {37})).message(), HasSubstr("compute capability 3.7"));
}

TEST(TorchTag, OffersMinorVersionCompatibilityWithinCuda11) {
    EXPECT_THAT(refusal(gpus(11040, {86})).hint(), HasSubstr("cu118"));
    EXPECT_THAT(refusal(gpus(10020, {75})).hint(), HasSubstr("cpu"));
}

}  // namespace
}  // namespace podctl::machine
