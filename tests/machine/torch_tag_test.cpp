#include "podctl/base/error.hpp"
#include "podctl/machine/machine.hpp"

#include "gpus.hpp"
#include "support/error_of.hpp"
#include "support/set_env.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace podctl::machine {
namespace {

using testing::HasSubstr;

Gpus gpus(int cuda, std::vector<int> capabilities) {
    Gpus result{.devices = {}, .driver = "1.2", .cuda = cuda, .problem = {}};
    for (const int capability : capabilities)
        result.devices.push_back({.name = "GPU", .memory = {}, .compute_capability = capability});
    return result;
}

// The tag of a machine that fits without a warning.
std::string tag_of(const Gpus& gpus) {
    const TorchTag tag = torch_tag(gpus);
    EXPECT_EQ(tag.warning, "");
    return tag.name;
}

Error refusal(const Gpus& gpus) {
    return test::error_of([&] { torch_tag(gpus); });
}

TEST(TorchTag, IsCpuWithoutAGpu) {
    EXPECT_EQ(tag_of({}), "cpu");
    EXPECT_EQ(tag_of(gpus(12080, {})), "cpu");
}

TEST(TorchTag, OfTheImageIsToldWhereItLeavesTheGpuIdle) {
    EXPECT_EQ(why_torch_is_idle("cu130", gpus(13000, {90})), "");
    EXPECT_EQ(why_torch_is_idle("cu128", gpus(13000, {90})), "");
    EXPECT_EQ(why_torch_is_idle("cpu", {}), "");
    EXPECT_EQ(why_torch_is_idle("cu130", {}), "");
    EXPECT_EQ(why_torch_is_idle("rocm6.2", gpus(12080, {90})), "");
    EXPECT_THAT(why_torch_is_idle("cpu", gpus(12080, {90})), HasSubstr("CPUs alone"));
    EXPECT_THAT(why_torch_is_idle("cu130", gpus(12080, {90})),
                HasSubstr("CUDA 13.0, and the NVIDIA driver 1.2 runs 12.8 at most"));
    EXPECT_THAT(why_torch_is_idle("cu118", gpus(12080, {120})),
                HasSubstr("may have no kernels for GPU"));
    // The driver is older than the wheels, within CUDA's major version.
    EXPECT_EQ(why_torch_is_idle("cu126", gpus(12040, {89})), "");
}

TEST(TorchTag, IsTheNewestThatTheDriverRuns) {
    EXPECT_EQ(tag_of(gpus(11080, {89})), "cu118");
    EXPECT_EQ(tag_of(gpus(12020, {89})), "cu121");
    EXPECT_EQ(tag_of(gpus(12040, {89})), "cu124");
    EXPECT_EQ(tag_of(gpus(12050, {80})), "cu124");
    EXPECT_EQ(tag_of(gpus(12070, {86})), "cu126");
    EXPECT_EQ(tag_of(gpus(12080, {90})), "cu128");
    EXPECT_EQ(tag_of(gpus(12090, {75})), "cu129");
    EXPECT_EQ(tag_of(gpus(13010, {75})), "cu130");
}

TEST(TorchTag, IsCu126ForGpusOlderThanTuring) {
    EXPECT_EQ(tag_of(gpus(13000, {70})), "cu126");
    EXPECT_EQ(tag_of(gpus(13000, {61})), "cu126");
    EXPECT_EQ(tag_of(gpus(12040, {61})), "cu124");
}

TEST(TorchTag, FitsEveryGpuOfAMixedMachine) {
    EXPECT_EQ(tag_of(gpus(13000, {70, 89})), "cu126");
    EXPECT_EQ(tag_of(gpus(12080, {89, 120})), "cu128");
}

TEST(TorchTag, KnowsBlackwell) {
    EXPECT_EQ(tag_of(gpus(12080, {120})), "cu128");
    EXPECT_EQ(tag_of(gpus(12080, {103})), "cu128");
    EXPECT_EQ(tag_of(gpus(13000, {121})), "cu130");
}

TEST(TorchTag, RefusesBlackwellOnAnOldDriver) {
    const Error error = refusal(gpus(12060, {120}));
    EXPECT_EQ(error.kind(), ErrorKind::preflight);
    EXPECT_EQ(error.message(),
              "the NVIDIA driver 1.2 runs CUDA 12.6 at most, but GPU (compute "
              "capability 12.0) needs PyTorch with CUDA 12.8 or newer");
    EXPECT_THAT(error.hint(), HasSubstr("driver 570.26 or newer"));
}

TEST(TorchTag, RefusesGpusThatNoWheelHasKernelsFor) {
    EXPECT_THAT(refusal(gpus(13000, {61, 120})).message(), HasSubstr("no PyTorch wheel"));
    EXPECT_THAT(refusal(gpus(12040, {37})).message(), HasSubstr("compute capability 3.7"));
}

TEST(TorchTag, TakesAnOlderDriverOfTheSameCudaMajorVersionWithAWarning) {
    const TorchTag tag = torch_tag(gpus(11040, {86}));
    EXPECT_EQ(tag.name, "cu118");
    EXPECT_THAT(tag.warning, HasSubstr("driver 1.2 runs CUDA 11.4"));
    EXPECT_THAT(tag.warning, HasSubstr("made for CUDA 11.8"));
    EXPECT_THAT(tag.warning, HasSubstr("Driver 520.61 or newer"));
    EXPECT_THAT(refusal(gpus(10020, {75})).message(), HasSubstr("CUDA 11.8 or newer"));
}

TEST(TorchTag, TakesBlackwellByMinorVersionOnlyWhereTheDriverKnowsIt) {
    Gpus blackwell = gpus(12070, {120});
    blackwell.driver = "570.26";
    EXPECT_EQ(torch_tag(blackwell).name, "cu128");
    EXPECT_THAT(torch_tag(blackwell).warning, HasSubstr("minor-version compatibility"));
    blackwell.driver = "565.57.01";
    EXPECT_THAT(refusal(blackwell).hint(), HasSubstr("NVIDIA driver 570.26 or newer"));
    blackwell.driver = "";
    EXPECT_EQ(refusal(blackwell).kind(), ErrorKind::preflight);
}

TEST(TorchTag, TakesNoPtxOnADriverThatDoesNotKnowItsCuda) {
    // Only the PTX of cu129 and newer could serve a generation after Blackwell.
    Gpus next = gpus(12080, {130});
    next.driver = "570.26";
    EXPECT_THAT(refusal(next).message(), HasSubstr("CUDA 12.9 or newer"));
    EXPECT_EQ(tag_of(gpus(12090, {130})), "cu129");
}

TEST(TorchTag, WarnsOfCpuWhereAGpuCouldBeExpected) {
    const TorchTag tag =
        torch_tag({.devices = {}, .driver = {}, .cuda = 0, .problem = "it is lost"});
    EXPECT_EQ(tag.name, "cpu");
    EXPECT_EQ(tag.warning, "PyTorch without CUDA is taken: it is lost");
}

TEST(TorchTag, RefusesADriverThatTellsNoCuda) {
    EXPECT_THAT(refusal(gpus(0, {86})).message(), HasSubstr("does not tell which CUDA it runs"));
}

// From the machine's own words to the wheels.
Gpus machine_with(const char* name) {
    const test::SetEnv machine{"PODCTL_FAKE_NVML", name};
    return inspect_gpus(
        {.libraries = {PODCTL_FAKE_NVML_LIBRARY}, .nvidia_smi = "", .pci_devices = {}});
}

TEST(TorchTag, FitsEveryMachine) {
    const std::map<const char*, std::string> tags{
        {"4090-and-h100", "cu124"}, {"3060", "cu121"}, {"4090", "cu126"}, {"a40", "cu124"},
        {"h100", "cu128"},          {"b200", "cu130"}, {"two", "cu126"}};
    for (const auto& [name, tag] : tags) {
        SCOPED_TRACE(name);
        EXPECT_EQ(tag_of(machine_with(name)), tag);
    }
}

TEST(TorchTag, IsCpuWhereTheDriverSeesNoGpu) {
    const TorchTag tag = torch_tag(machine_with("none"));
    EXPECT_EQ(tag.name, "cpu");
    EXPECT_THAT(tag.warning, HasSubstr("sees no GPU"));
}

TEST(TorchTag, IsCu118WithAWarningOnADriverOfCuda11) {
    const TorchTag tag = torch_tag(machine_with("old-driver"));
    EXPECT_EQ(tag.name, "cu118");
    EXPECT_THAT(tag.warning, HasSubstr("470.182.03 runs CUDA 11.4"));
}

TEST(TorchTag, SaysWhatABlackwellOnAnOldDriverNeeds) {
    const Error error = refusal(machine_with("b200-old-driver"));
    EXPECT_EQ(error.kind(), ErrorKind::preflight);
    EXPECT_EQ(error.message(),
              "the NVIDIA driver 550.54.15 runs CUDA 12.4 at most, but NVIDIA B200 (compute "
              "capability 10.0) needs PyTorch with CUDA 12.8 or newer");
    EXPECT_THAT(error.hint(), HasSubstr("NVIDIA driver 570.26 or newer"));
}

}  // namespace
}  // namespace podctl::machine
