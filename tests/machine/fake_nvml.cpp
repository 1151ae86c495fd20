// A libnvidia-ml.so.1 with two GPUs. PODCTL_FAKE_NVML_FAULT names the function that fails, or
// "no_gpu".
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int success = 0, driver_not_loaded = 9, gpu_is_lost = 15;

struct Device {
    const char* name;
    unsigned long long memory;
    int major, minor;
};
const Device devices[] = {{"NVIDIA GeForce RTX 4090", 25'757'220'864ULL, 8, 9},
                          {"NVIDIA H100 80GB HBM3", 85'520'809'984ULL, 9, 0}};

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
    std::snprintf(version, length, "550.54.15");
    return success;
}
int nvmlSystemGetCudaDriverVersion_v2(int* version) {
    *version = 12040;
    return success;
}
int nvmlDeviceGetCount_v2(unsigned* count) {
    *count = has_fault("no_gpu") ? 0 : 2;
    return success;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, const Device** device) {
    *device = &devices[index];
    return success;
}
int nvmlDeviceGetName(const Device* device, char* name, unsigned length) {
    std::snprintf(name, length, "%s", device->name);
    return success;
}
int nvmlDeviceGetMemoryInfo(const Device* device, Memory* memory) {
    if (has_fault("memory") && device == &devices[0]) return gpu_is_lost;
    *memory = {device->memory, device->memory, 0};
    return success;
}
int nvmlDeviceGetCudaComputeCapability(const Device* device, int* major, int* minor) {
    *major = device->major;
    *minor = device->minor;
    return success;
}
}
