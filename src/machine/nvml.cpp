#include "nvml.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <memory>

namespace podctl::machine {

namespace {

// From NVIDIA's public NVML API (nvml.h); the ABI of these functions is stable.
using nvmlReturn_t = int;
using nvmlDevice_t = struct nvmlDevice_st*;
struct nvmlMemory_t {
    unsigned long long total, free, used;
};
constexpr nvmlReturn_t nvml_success = 0;
constexpr nvmlReturn_t nvml_not_supported = 3;
constexpr unsigned version_buffer_size = 80;
constexpr unsigned name_buffer_size = 96;
constexpr unsigned uuid_buffer_size = 96;

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
        load(device_uuid, "nvmlDeviceGetUUID", Need::optional);
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
    nvmlReturn_t (*device_uuid)(nvmlDevice_t, char*, unsigned) = nullptr;  // may be missing

private:
    enum class Need { required, optional };
    template <class Function>
    void load(Function*& function, const char* name, Need need = Need::required) {
        function = reinterpret_cast<Function*>(::dlsym(library_.get(), name));
        if (function == nullptr && need == Need::required && missing_.empty()) missing_ = name;
    }

    Library library_;
    std::string missing_;
    bool initialized_ = false;
};

// GPUs that share the host's memory (GB10) have none of their own to tell of: zeroes.
nvmlReturn_t ask_memory(const Nvml& nvml, nvmlDevice_t device, nvmlMemory_t& memory) {
    const nvmlReturn_t result = nvml.device_memory(device, &memory);
    return result == nvml_not_supported ? nvml_success : result;
}

std::string ask_uuid(const Nvml& nvml, nvmlDevice_t device) {
    std::array<char, uuid_buffer_size> uuid{};
    const bool told = nvml.device_uuid != nullptr &&
                      nvml.device_uuid(device, uuid.data(), uuid_buffer_size) == nvml_success;
    return told ? uuid.data() : "";
}

// Throws nothing: a device that does not answer is told in `problem`.
void add_device(const Nvml& nvml, unsigned index, Gpus& gpus) {
    nvmlDevice_t device = nullptr;
    std::array<char, name_buffer_size> name{};
    nvmlMemory_t memory{};
    int major = 0, minor = 0;
    nvmlReturn_t result = nvml.device_by_index(index, &device);
    if (result == nvml_success) result = nvml.device_name(device, name.data(), name_buffer_size);
    if (result == nvml_success) result = ask_memory(nvml, device, memory);
    if (result == nvml_success) result = nvml.device_capability(device, &major, &minor);
    if (result != nvml_success) {
        gpus.problem = fmt::format("GPU {} does not answer: {}", index, nvml.describe(result));
        return;
    }
    gpus.devices.push_back({.name = name.data(),
                            .memory = {memory.total},
                            .free = {memory.free},
                            .compute_capability = major * 10 + minor,
                            .uuid = ask_uuid(nvml, device)});
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

}  // namespace

NvmlAnswer ask_nvml(const std::vector<std::string>& libraries) {
    NvmlAnswer answer;
    Library library = open_library(libraries);
    if (!library) return answer;
    Nvml nvml{std::move(library)};
    answer.gpus.problem = nvml.start();
    answer.state = answer.gpus.problem.empty() ? NvmlState::answers : NvmlState::silent;
    if (answer.state == NvmlState::answers) ask(nvml, answer.gpus);
    return answer;
}

}  // namespace podctl::machine
