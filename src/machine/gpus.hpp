#pragma once

#include "podctl/machine/machine.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace podctl::machine {

struct GpuSources {
    // Tried in turn, as dlopen takes them: the loader's own path, then where container runtimes
    // that do not run ldconfig (GKE's device plugin, WSL) put the library.
    std::vector<std::string> libraries{"libnvidia-ml.so.1",
                                       "/usr/local/nvidia/lib64/libnvidia-ml.so.1",
                                       "/usr/lib/wsl/lib/libnvidia-ml.so.1"};
    std::string nvidia_smi = "nvidia-smi";      // looked up in PATH; asked where NVML says nothing
    std::chrono::milliseconds timeout{10'000};  // of each call of it: a driver that hangs, hangs it
    std::filesystem::path driver = "/proc/driver/nvidia/version";
    std::filesystem::path pci_devices = "/sys/bus/pci/devices";
};

Gpus inspect_gpus(const GpuSources& sources);

}  // namespace podctl::machine
