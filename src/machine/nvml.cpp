#include "nvml.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <memory>

namespace podctl::machine {

namespace fs = std::filesystem;

namespace {

// From NVIDIA's public NVML API (nvml.h); the ABI of these functions is stable.
using nvmlReturn_t = int;
using nvmlDevice_t = struct nvmlDevice_st*;
struct nvmlMemory_t {
    unsigned long long total, free, used;
};
constexpr nvmlReturn_t nvml_success = 0;
constexpr unsigned version_buffer_size = 80;
constexpr unsigned name_buffer_size = 96;

struct CloseLibrary {
    void operator()(void* library) const { ::dlclose(library); }
};
using Library = std::unique_ptr<void, CloseLibrary>;

Library open_library(const std::vector<std::string>& names) {
    for (const std::string& name : names)
        if (void* library = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) return Library{library};
    return {};
}

class Nvml {
public:
    explicit Nvml(Library library) : library_{std::move(library)} {}
    Nvml(const Nvml&) = delete;
    Nvml& operator=(const Nvml&) = delete;
    ~Nvml() {
        if (initialized_) shutdown();
    }

    // Empty when it works.
    std::string start() {
        load(init, "nvmlInit_v2");
        load(shutdown, "nvmlShutdown");
        load(error_string, "nvmlErrorString");
        load(driver_version, "nvmlSystemGetDriverVersion");
        load(cuda_version, "nvmlSystemGetCudaDriverVersion_v2");
        load(device_count, "nvmlDeviceGetCount_v2");
        load(device_by_index, "nvmlDeviceGetHandleByIndex_v2");
        load(device_name, "nvmlDeviceGetName");
        load(device_memory, "nvmlDeviceGetMemoryInfo");
        load(device_capability, "nvmlDeviceGetCudaComputeCapability");
        if (!missing_.empty()) return "the NVIDIA driver is too old: NVML has no " + missing_;
        if (const auto result = init(); result != nvml_success)
            return "NVML does not start: " + describe(result);
        initialized_ = true;
        return {};
    }

    std::string describe(nvmlReturn_t result) const {
        const char* text = error_string(result);
        return text != nullptr ? text : fmt::format("error {}", result);
    }

    nvmlReturn_t (*init)() = nullptr;
    nvmlReturn_t (*shutdown)() = nullptr;
    const char* (*error_string)(nvmlReturn_t) = nullptr;
    nvmlReturn_t (*driver_version)(char*, unsigned) = nullptr;
    nvmlReturn_t (*cuda_version)(int*) = nullptr;
    nvmlReturn_t (*device_count)(unsigned*) = nullptr;
    nvmlReturn_t (*device_by_index)(unsigned, nvmlDevice_t*) = nullptr;
    nvmlReturn_t (*device_name)(nvmlDevice_t, char*, unsigned) = nullptr;
    nvmlReturn_t (*device_memory)(nvmlDevice_t, nvmlMemory_t*) = nullptr;
    nvmlReturn_t (*device_capability)(nvmlDevice_t, int*, int*) = nullptr;

private:
    template <class Function>
    void load(Function*& function, const char* name) {
        function = reinterpret_cast<Function*>(::dlsym(library_.get(), name));
        if (function == nullptr && missing_.empty()) missing_ = name;
    }

    Library library_;
    std::string missing_;
    bool initialized_ = false;
};

// Throws nothing: a device that does not answer is told in `problem`.
void add_device(const Nvml& nvml, unsigned index, Gpus& gpus) {
    nvmlDevice_t device = nullptr;
    std::array<char, name_buffer_size> name{};
    nvmlMemory_t memory{};
    int major = 0, minor = 0;
    nvmlReturn_t result = nvml.device_by_index(index, &device);
    if (result == nvml_success) result = nvml.device_name(device, name.data(), name_buffer_size);
    if (result == nvml_success) result = nvml.device_memory(device, &memory);
    if (result == nvml_success) result = nvml.device_capability(device, &major, &minor);
    if (result != nvml_success) {
        gpus.problem = fmt::format("GPU {} does not answer: {}", index, nvml.describe(result));
        return;
    }
    gpus.devices.push_back(
        {.name = name.data(), .memory = {memory.total}, .compute_capability = major * 10 + minor});
}

void ask(const Nvml& nvml, Gpus& gpus) {
    std::array<char, version_buffer_size> driver{};
    if (nvml.driver_version(driver.data(), version_buffer_size) == nvml_success)
        gpus.driver = driver.data();
    if (nvml.cuda_version(&gpus.cuda) != nvml_success) gpus.cuda = 0;
    unsigned count = 0;
    if (const auto result = nvml.device_count(&count); result != nvml_success) {
        gpus.problem = "NVML does not count the GPUs: " + nvml.describe(result);
        return;
    }
    if (count == 0) gpus.problem = "the NVIDIA driver is there, but it sees no GPU";
    for (unsigned index = 0; index < count; ++index)
        add_device(nvml, index, gpus);
}

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

}  // namespace

Gpus inspect_gpus(const GpuSources& sources) {
    Gpus gpus;
    Library library = open_library(sources.libraries);
    if (!library) {
        if (file_stamp(sources.driver))
            gpus.problem =
                "the host has an NVIDIA driver, but libnvidia-ml.so.1 is not here: the container "
                "was "
                "started without NVIDIA's runtime (--gpus all)";
        else if (has_nvidia_gpu(sources.pci_devices))
            gpus.problem = "there is an NVIDIA GPU, but no NVIDIA driver";
        return gpus;
    }
    Nvml nvml{std::move(library)};
    gpus.problem = nvml.start();
    if (gpus.problem.empty()) ask(nvml, gpus);
    return gpus;
}

Gpus inspect_gpus() {
    return inspect_gpus(GpuSources{});
}

}  // namespace podctl::machine
