#include "podctl/base/error.hpp"
#include "podctl/machine/machine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace podctl::machine {

namespace {

// What a wheel of this tag needs of the driver and has kernels for (PyTorch's release matrix).
struct Tag {
    std::string_view name;
    int cuda;             // as NVML counts: 12040 is 12.4
    int first, last;      // compute capabilities
    bool compiles_newer;  // has PTX, which the driver compiles for newer devices
};

// Newest first. cu128 and cu129 had 7.0 in some releases only, so it does not count.
constexpr std::array<Tag, 7> tags{{{"cu130", 13000, 75, 120, true},
                                   {"cu129", 12090, 75, 120, true},
                                   {"cu128", 12080, 75, 120, false},
                                   {"cu126", 12060, 50, 90, false},
                                   {"cu124", 12040, 50, 90, false},
                                   {"cu121", 12010, 50, 90, false},
                                   {"cu118", 11080, 50, 90, false}}};

// Kernels run on any later minor version of their major version: those of 8.6 on 8.9, of 12.0
// on 12.1.
bool has_kernels(const Tag& tag, int capability) {
    if (capability < tag.first) return false;
    return tag.compiles_newer || capability / 10 <= tag.last / 10;
}

bool fits_all(const Tag& tag, const Gpus& gpus) {
    return std::all_of(gpus.devices.begin(), gpus.devices.end(),
                       [&](const Gpu& gpu) { return has_kernels(tag, gpu.compute_capability); });
}

std::string cuda_name(int cuda) {
    return fmt::format("{}.{}", cuda / 1000, cuda % 1000 / 10);
}

std::string describe(const Gpus& gpus) {
    std::string names;
    for (const Gpu& gpu : gpus.devices) {
        if (!names.empty()) names += ", ";
        names += fmt::format("{} (compute capability {}.{})", gpu.name, gpu.compute_capability / 10,
                             gpu.compute_capability % 10);
    }
    return names;
}

[[noreturn]] void refuse(const Gpus& gpus) {
    const auto oldest_that_fits = std::find_if(tags.rbegin(), tags.rend(),
                                               [&](const Tag& tag) { return fits_all(tag, gpus); });
    if (oldest_that_fits == tags.rend())
        throw Error{ErrorKind::preflight,
                    "no PyTorch wheel has kernels for all of these GPUs: " + describe(gpus),
                    "take a pod with GPUs of one generation, or set python.torch: cpu"};
    // Within CUDA 11 wheels run on older drivers too (NVIDIA's minor-version compatibility), with
    // less than all features.
    const bool may_run = oldest_that_fits->cuda / 1000 == 11 && gpus.cuda / 1000 == 11;
    throw Error{
        ErrorKind::preflight,
        fmt::format("the NVIDIA driver {} runs CUDA {} at most, but {} needs PyTorch with CUDA "
                    "{} or newer",
                    gpus.driver, cuda_name(gpus.cuda), describe(gpus),
                    cuda_name(oldest_that_fits->cuda)),
        may_run ? "take a host with a newer driver, or try python.torch: cu118"
                : "take a host with a newer driver, or set python.torch: cpu"};
}

}  // namespace

std::string torch_tag(const Gpus& gpus) {
    if (gpus.devices.empty()) return "cpu";
    for (const Tag& tag : tags)
        if (tag.cuda <= gpus.cuda && fits_all(tag, gpus)) return std::string{tag.name};
    refuse(gpus);
}

}  // namespace podctl::machine
