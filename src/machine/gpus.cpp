#include "gpus.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process.hpp"

#include "driver.hpp"
#include "nvidia_smi.hpp"
#include "nvml.hpp"

namespace podctl::machine {

namespace fs = std::filesystem;

namespace {

bool has_nvidia_gpu(const fs::path& pci_devices) {
    std::error_code error;
    for (const auto& device : fs::directory_iterator{pci_devices, error}) {
        const auto vendor = read_file_if_exists(device.path() / "vendor").value_or("");
        const auto device_class = read_file_if_exists(device.path() / "class").value_or("");
        // Class 03 is a display controller; NVIDIA makes network cards and bridges too.
        if (trim(vendor) == "0x10de" && device_class.starts_with("0x03")) return true;
    }
    return false;
}

// Why NVML is not there although one could expect it; else empty.
std::string why_no_nvml(const GpuSources& sources) {
    if (file_stamp(sources.driver))
        return "the host has an NVIDIA driver, but libnvidia-ml.so.1 is not here: the container "
               "was started without NVIDIA's runtime (--gpus all)";
    if (has_nvidia_gpu(sources.pci_devices)) return "there is an NVIDIA GPU, but no NVIDIA driver";
    return {};
}

// What NVML could not tell: it cannot be loaded, or does not start.
Gpus without_nvml(const std::string& problem, const GpuSources& sources) {
    const auto program = find_program(sources.nvidia_smi);
    if (!program) return {.devices = {}, .driver = {}, .cuda = 0, .problem = problem};
    Gpus gpus = ask_nvidia_smi(*program, sources.timeout);
    if (gpus.devices.empty() && !problem.empty()) gpus.problem = problem + "; " + gpus.problem;
    return gpus;
}

}  // namespace

Gpus inspect_gpus(const GpuSources& sources) {
    const NvmlAnswer nvml = ask_nvml(sources.libraries);
    Gpus gpus;
    switch (nvml.state) {
        case NvmlState::absent:
            gpus = without_nvml(why_no_nvml(sources), sources);
            break;
        case NvmlState::silent:
            gpus = without_nvml(nvml.gpus.problem, sources);
            break;
        case NvmlState::answers:
            gpus = nvml.gpus;
            break;
    }
    if (gpus.cuda == 0) gpus.cuda = cuda_of_driver(gpus.driver);
    return gpus;
}

Gpus inspect_gpus() {
    return inspect_gpus(GpuSources{});
}

}  // namespace podctl::machine
