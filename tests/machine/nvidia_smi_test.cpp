#include "nvidia_smi.hpp"

#include "podctl/base/file.hpp"
#include "podctl/machine/machine.hpp"

#include "driver.hpp"
#include "gpus.hpp"
#include "support/set_env.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace podctl::machine {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr const char* old_header =
    "Mon Jul  7 09:06:34 2025       \n"
    "+-----------------------------------------------------------------------------------------+\n"
    "| NVIDIA-SMI 570.133.07             Driver Version: 570.133.07     CUDA Version: 12.8     |\n"
    "|-----------------------------------------+------------------------+----------------------+\n";
constexpr const char* new_header =
    "Sun Jun  7 08:16:57 2026       \n"
    "+-----------------------------------------------------------------------------------------+\n"
    "| NVIDIA-SMI 610.43.02              KMD Version: 610.43.02     CUDA UMD Version: 13.3     |\n"
    "+-----------------------------------------+------------------------+----------------------+\n";
// What a driver of 2014 printed.
constexpr const char* header_without_cuda =
    "+------------------------------------------------------+\n"
    "| NVIDIA-SMI 331.62     Driver Version: 331.62         |\n"
    "|-------------------------------+----------------------+----------------------+\n";

Gpus rows(std::string_view output) {
    Gpus gpus;
    read_rows(output, gpus);
    return gpus;
}

Gpus header(std::string_view output) {
    Gpus gpus;
    read_header(output, gpus);
    return gpus;
}

TEST(NvidiaSmiRows, TellEveryGpu) {
    const Gpus gpus = rows(
        "NVIDIA GeForce RTX 4090, 24564, 24209, 8.9, 550.54.15, "
        "GPU-8b6d1f0e-2f6c-6f0f-5c1a-0a4b1a6c8f10\n"
        "NVIDIA H100 80GB HBM3, 81559, 81008, 9.0, 550.54.15, "
        "GPU-1d2c3b4a-5f6e-7a8b-9c0d-1e2f3a4b5c6d\n");
    ASSERT_THAT(gpus.devices, SizeIs(2));
    EXPECT_EQ(gpus.devices[0].name, "NVIDIA GeForce RTX 4090");
    EXPECT_EQ(gpus.devices[0].memory, Bytes{25'757'220'864});
    EXPECT_EQ(gpus.devices[0].free, Bytes{24'209ULL << 20U});
    EXPECT_EQ(gpus.devices[0].compute_capability, 89);
    EXPECT_EQ(gpus.devices[0].uuid, "GPU-8b6d1f0e-2f6c-6f0f-5c1a-0a4b1a6c8f10");
    EXPECT_EQ(gpus.devices[1].compute_capability, 90);
    EXPECT_EQ(gpus.driver, "550.54.15");
    EXPECT_EQ(gpus.problem, "");
}

TEST(NvidiaSmiRows, MayNotTellTheMemoryOrTheUuid) {
    // A GB10 shares the host's memory.
    const Gpus gpus = rows("NVIDIA GB10, [N/A], [Not Supported], 12.1, 580.95.05, [N/A]\r\n");
    ASSERT_THAT(gpus.devices, SizeIs(1));
    EXPECT_EQ(gpus.devices[0].memory, Bytes{0});
    EXPECT_EQ(gpus.devices[0].free, Bytes{0});
    EXPECT_EQ(gpus.devices[0].compute_capability, 121);
    EXPECT_EQ(gpus.devices[0].uuid, "");
    EXPECT_EQ(gpus.problem, "");
}

TEST(NvidiaSmiRows, MayHaveCommasInAName) {
    const Gpus gpus = rows("Graphics Device, rev. 2, 4096, 4000, 7.5, 535.1.2, GPU-1\n");
    ASSERT_THAT(gpus.devices, SizeIs(1));
    EXPECT_EQ(gpus.devices[0].name, "Graphics Device, rev. 2");
    EXPECT_EQ(gpus.devices[0].memory, Bytes{4096ULL << 20U});
}

TEST(NvidiaSmiRows, LeaveOutAGpuWhoseCapabilityIsNotTold) {
    const Gpus gpus = rows(
        "NVIDIA A40, 46068, 45500, [N/A], 550.54.15, GPU-1\n"
        "NVIDIA A40, 46068, 45500, 8.6, 550.54.15, GPU-2\n");
    ASSERT_THAT(gpus.devices, SizeIs(1));
    EXPECT_EQ(gpus.devices[0].uuid, "GPU-2");
    EXPECT_EQ(gpus.problem, "nvidia-smi: the compute capability of NVIDIA A40 is [N/A]");
}

TEST(NvidiaSmiRows, StandBesideWarnings) {
    const Gpus gpus = rows(
        "Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost.\n"
        "NVIDIA A40, 46068, 45500, 8.6, 550.54.15, GPU-2\n");
    EXPECT_THAT(gpus.devices, SizeIs(1));
    EXPECT_THAT(gpus.problem, HasSubstr("GPU is lost"));
}

TEST(NvidiaSmiRows, AreSurvivedWhateverTheySay) {
    for (const std::string& odd : std::vector<std::string>{
             ",,,,,", ",,,,,,,,,,,,", "a, -1, 1e9, 99999999999999999999.0, ., GPU-",
             "a, 99999999999999999999999, 18446744073709551615, -8.6, 1, 2", std::string(6, '\0'),
             "a,1,1,2147483647.9,1,1", "a,1,1,8.10,1,1", "\xff\xfe,1,1,0.9,1,1"}) {
        const Gpus gpus = rows(odd);
        EXPECT_THAT(gpus.devices, IsEmpty()) << odd;
        EXPECT_NE(gpus.problem, "") << odd;
    }
    EXPECT_EQ(rows("\r\n\r\n \n").problem, "");
    const Gpus huge = rows("a, 99999999999999999999999, 18446744073709551615, 8.6, 1, 2");
    ASSERT_THAT(huge.devices, SizeIs(1));
    EXPECT_EQ(huge.devices[0].memory, Bytes{0});
    EXPECT_EQ(huge.devices[0].free, Bytes{0});
}

TEST(NvidiaSmiRows, SendNothingToATerminal) {
    const Gpus gpus =
        rows("\x1b[2Jgone\n" + std::string(5000, 'x') + "\x1b]0;t\x07, 1, 1, 8.6, 1, 2");
    EXPECT_THAT(gpus.problem, AllOf(HasSubstr("?[2Jgone"), Not(HasSubstr("\x1b"))));
    ASSERT_THAT(gpus.devices, SizeIs(1));
    EXPECT_EQ(gpus.devices[0].name, std::string(200, 'x'));
}

TEST(NvidiaSmiHeader, TellsTheCudaVersionAndTheDriver) {
    EXPECT_EQ(header(old_header).cuda, 12080);
    EXPECT_EQ(header(old_header).driver, "570.133.07");
    EXPECT_EQ(header(new_header).cuda, 13030);
    EXPECT_EQ(header(new_header).driver, "610.43.02");
    EXPECT_EQ(header("CUDA Version        : 12.4\r\n").cuda, 12040);
}

TEST(NvidiaSmiHeader, MayTellNoCudaVersion) {
    EXPECT_EQ(header(header_without_cuda).cuda, 0);
    EXPECT_EQ(header(header_without_cuda).driver, "331.62");
    EXPECT_EQ(header("| Driver Version: 550.54.15  CUDA Version: N/A  |").cuda, 0);
    EXPECT_EQ(header("| Driver Version: 550.54.15  CUDA Version: ERR! |").cuda, 0);
    EXPECT_EQ(header("CUDA Version:").cuda, 0);
    EXPECT_EQ(header("CUDA Version: 99999999999.9").cuda, 0);
    EXPECT_EQ(header("").driver, "");
}

TEST(Driver, TellsTheCudaThatItRuns) {
    EXPECT_EQ(cuda_of_driver("580.65.06"), 13000);
    EXPECT_EQ(cuda_of_driver("610.43.02"), 13000);
    EXPECT_EQ(cuda_of_driver("575.51.03"), 12090);
    EXPECT_EQ(cuda_of_driver("570.26"), 12080);
    EXPECT_EQ(cuda_of_driver("565.57.01"), 12060);
    EXPECT_EQ(cuda_of_driver("550.54.15"), 12040);
    EXPECT_EQ(cuda_of_driver("550.40.07"), 12010);
    EXPECT_EQ(cuda_of_driver("535.183.01"), 12010);
    EXPECT_EQ(cuda_of_driver("525.60.13"), 12000);
    EXPECT_EQ(cuda_of_driver("520.61.05"), 11080);
    EXPECT_EQ(cuda_of_driver("470.182.03"), 11000);
    EXPECT_EQ(cuda_of_driver("440.33"), 0);
    EXPECT_EQ(cuda_of_driver("[N/A]"), 0);
    EXPECT_EQ(cuda_of_driver(""), 0);
}

// A machine whose NVML cannot be loaded, with a script for nvidia-smi.
class NvidiaSmi : public testing::Test {
protected:
    // $1 is empty where it is asked for its header.
    void write_program(const std::string& body) {
        write_file_atomically(dir / "nvidia-smi", "#!/bin/sh\n" + body);
        std::filesystem::permissions(dir / "nvidia-smi", std::filesystem::perms::owner_all);
    }
    Gpus ask(std::vector<std::string> libraries = {"nothing-of-this-name.so.1"}) {
        return inspect_gpus({.libraries = std::move(libraries),
                             .nvidia_smi = (dir / "nvidia-smi").string(),
                             .timeout = timeout,
                             .driver = dir / "version",
                             .pci_devices = dir / "pci"});
    }
    test::TempDir dir;
    // Only one test waits for it.
    std::chrono::milliseconds timeout{60'000};
    const std::string a40 = "echo 'NVIDIA A40, 46068, 45500, 8.6, 550.54.15, GPU-1f'\n";
};

TEST_F(NvidiaSmi, IsAskedWhereNvmlCannotBeLoaded) {
    write_program(
        "[ -z \"$1\" ] && echo 'Driver Version: 550.54.15  CUDA Version: 12.4' && exit\n"
        "[ \"$2\" = --format=csv,noheader,nounits ] || exit 3\n" +
        a40);
    const Gpus gpus = ask();
    ASSERT_THAT(gpus.devices, SizeIs(1));
    EXPECT_EQ(gpus.devices[0].name, "NVIDIA A40");
    EXPECT_EQ(gpus.driver, "550.54.15");
    EXPECT_EQ(gpus.cuda, 12040);
    EXPECT_EQ(gpus.problem, "");
}

TEST_F(NvidiaSmi, IsAskedWhereNvmlDoesNotStart) {
    const test::SetEnv fault{"PODCTL_FAKE_NVML_FAULT", "init"};
    write_program(a40);
    EXPECT_THAT(ask({PODCTL_FAKE_NVML_LIBRARY}).devices, SizeIs(1));
}

TEST_F(NvidiaSmi, IsNotAskedWhereNvmlAnswers) {
    const test::SetEnv machine{"PODCTL_FAKE_NVML", "none"};
    write_program(a40);
    EXPECT_THAT(ask({PODCTL_FAKE_NVML_LIBRARY}).devices, IsEmpty());
}

TEST_F(NvidiaSmi, LeavesTheCudaVersionToTheDriverWhereItsHeaderFails) {
    write_program("[ -z \"$1\" ] && exit 1\n" + a40);
    EXPECT_EQ(ask().cuda, 12040);
    EXPECT_EQ(ask().problem, "");
}

TEST_F(NvidiaSmi, MayBeTooOldToTellTheCapability) {
    write_program(
        "[ -z \"$1\" ] && echo 'Driver Version: 470.182.03  CUDA Version: 11.4' && exit\n"
        "printf 'Field \"compute_cap\" is not a valid field to query.\\n\\n'; exit 2\n");
    const Gpus gpus = ask();
    EXPECT_THAT(gpus.devices, IsEmpty());
    EXPECT_EQ(gpus.problem, "nvidia-smi is too old to tell the compute capability");
    EXPECT_EQ(gpus.driver, "470.182.03");
    EXPECT_EQ(gpus.cuda, 11040);
}

TEST_F(NvidiaSmi, SaysThatTheDriverIsNotThere) {
    write_program(
        "echo \"NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA "
        "driver. Make sure that the latest NVIDIA driver is installed and running.\"\n"
        "exit 9\n");
    EXPECT_THAT(ask().problem, HasSubstr("couldn't communicate with the NVIDIA driver"));
    write_file_atomically(dir / "version", "NVRM version: …");
    EXPECT_THAT(ask().problem, AllOf(HasSubstr("--gpus all"), HasSubstr("communicate")));
}

TEST_F(NvidiaSmi, MayEndWithoutAWord) {
    write_program("exit 6\n");
    EXPECT_EQ(ask().problem, "nvidia-smi: exit code 6");
    write_program("exit 0\n");
    EXPECT_EQ(ask().problem, "nvidia-smi prints nothing");
}

TEST_F(NvidiaSmi, MayHang) {
    write_program("sleep 600\n");
    timeout = std::chrono::milliseconds{200};
    const Gpus gpus = ask();
    EXPECT_THAT(gpus.devices, IsEmpty());
    EXPECT_THAT(gpus.problem, HasSubstr("nvidia-smi"));
}

}  // namespace
}  // namespace podctl::machine
