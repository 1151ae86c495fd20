// A libnvidia-ml.so.1 that stands in for GPUs: found by the loader (LD_LIBRARY_PATH) or by its
// path. PODCTL_FAKE_NVML names the machine, absent: "4090-and-h100". PODCTL_FAKE_NVML_FAULT names
// the function that fails, or "no_gpu".
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr int success = 0, not_supported = 3, driver_not_loaded = 9, gpu_is_lost = 15;
constexpr unsigned long long mebibyte = 1ULL << 20U;

struct Device {
    const char* name;
    unsigned long long memory;  // in MiB, as nvidia-smi tells it
    int major, minor;
    const char* uuid;
};
struct Machine {
    const char* name;
    const char* driver;
    int cuda;
    std::vector<Device> devices;
};

const Device rtx_3060{"NVIDIA GeForce RTX 3060", 12288, 8, 6,
                      "GPU-0b5c6c3e-6f0a-9a51-5d5e-6d1f3c2ab306"};
const Device rtx_4090{"NVIDIA GeForce RTX 4090", 24564, 8, 9,
                      "GPU-3a1f0c52-4b7e-8d19-a6c0-f2e85d3b4090"};
const Device a40{"NVIDIA A40", 46068, 8, 6, "GPU-51d7e9aa-2c40-b8f3-1e96-7a0b5c8d0a40"};
const Device h100{"NVIDIA H100 80GB HBM3", 81559, 9, 0, "GPU-9e2b7f14-d0c8-3a65-8f47-c1b6a5e90100"};
const Device b200{"NVIDIA B200", 183359, 10, 0, "GPU-c4a8d6f0-71e3-5b92-0d8c-3f9e2a6b0200"};
const Device gtx_1080_ti{"NVIDIA GeForce GTX 1080 Ti", 11264, 6, 1,
                         "GPU-7d3e5f81-9b2a-4c60-e715-8a4d0f6c1080"};

// Drivers and the CUDA that each runs, by NVIDIA's release notes.
const Machine machines[] = {
    {"4090-and-h100", "550.54.15", 12040, {rtx_4090, h100}},
    {"3060", "535.183.01", 12020, {rtx_3060}},
    {"4090", "565.57.01", 12070, {rtx_4090}},
    {"a40", "550.127.05", 12040, {a40}},
    {"h100", "570.133.20", 12080, {h100}},
    {"b200", "580.82.07", 13000, {b200}},
    {"b200-old-driver", "550.54.15", 12040, {b200}},
    {"two", "580.82.07", 13000, {gtx_1080_ti, rtx_4090}},
    {"old-driver", "470.182.03", 11040, {rtx_3060}},
    {"none", "550.54.15", 12040, {}},
};

const Machine& machine() {
    const char* wanted = std::getenv("PODCTL_FAKE_NVML");
    if (wanted == nullptr) return machines[0];
    for (const Machine& it : machines)
        if (std::strcmp(it.name, wanted) == 0) return it;
    std::fprintf(stderr, "PODCTL_FAKE_NVML=%s: no such machine\n", wanted);
    std::abort();
}

bool has_fault(const char* name) {
    const char* fault = std::getenv("PODCTL_FAKE_NVML_FAULT");
    return fault != nullptr && std::strcmp(fault, name) == 0;
}

}  // namespace

struct Memory {
    unsigned long long total, free, used;
};

extern "C" {

int nvmlInit_v2() {
    return has_fault("init") ? driver_not_loaded : success;
}
int nvmlShutdown() {
    return success;
}
const char* nvmlErrorString(int result) {
    return result == driver_not_loaded ? "Driver Not Loaded" : "GPU is lost";
}
int nvmlSystemGetDriverVersion(char* version, unsigned length) {
    std::snprintf(version, length, "%s", machine().driver);
    return success;
}
int nvmlSystemGetCudaDriverVersion_v2(int* version) {
    if (has_fault("cuda")) return not_supported;
    *version = machine().cuda;
    return success;
}
int nvmlDeviceGetCount_v2(unsigned* count) {
    *count = has_fault("no_gpu") ? 0 : static_cast<unsigned>(machine().devices.size());
    return success;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, const Device** device) {
    *device = &machine().devices[index];
    return success;
}
int nvmlDeviceGetName(const Device* device, char* name, unsigned length) {
    std::snprintf(name, length, "%s", device->name);
    return success;
}
int nvmlDeviceGetMemoryInfo(const Device* device, Memory* memory) {
    if (has_fault("no_memory")) return not_supported;
    if (has_fault("memory") && device == &machine().devices[0]) return gpu_is_lost;
    const unsigned long long used = 512;
    *memory = {device->memory * mebibyte, (device->memory - used) * mebibyte, used * mebibyte};
    return success;
}
int nvmlDeviceGetCudaComputeCapability(const Device* device, int* major, int* minor) {
    *major = device->major;
    *minor = device->minor;
    return success;
}
int nvmlDeviceGetUUID(const Device* device, char* uuid, unsigned length) {
    if (has_fault("uuid")) return not_supported;
    std::snprintf(uuid, length, "%s", device->uuid);
    return success;
}
}
