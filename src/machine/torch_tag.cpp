#include "podctl/base/error.hpp"
#include "podctl/machine/machine.hpp"

#include "driver.hpp"

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

// Blackwell, and the first driver branch that knows it.
constexpr int blackwell = 100;
constexpr int blackwell_driver = 570;

// Kernels run on any later minor version of their major version: those of 8.6 on 8.9, of 12.0
// on 12.1.
bool has_kernels(const Tag& tag, int capability) {
    return capability >= tag.first && capability / 10 <= tag.last / 10;
}

bool runs_on(const Tag& tag, int capability) {
    return has_kernels(tag, capability) || (tag.compiles_newer && capability >= tag.first);
}

template <class Fits>
bool fits_all(const Tag& tag, const Gpus& gpus, Fits fits) {
    return std::all_of(gpus.devices.begin(), gpus.devices.end(),
                       [&](const Gpu& gpu) { return fits(tag, gpu.compute_capability); });
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

// Programs run on drivers of any minor version of their CUDA's major version
// (https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html). Such a
// driver compiles no PTX of a newer CUDA, so kernels have to be there; nor does it know GPUs that
// came after it.
bool may_run(const Tag& tag, const Gpus& gpus) {
    const auto driver = leading_version(gpus.driver);
    const bool knows_blackwell = driver && driver->major >= blackwell_driver;
    return tag.cuda / 1000 == gpus.cuda / 1000 && fits_all(tag, gpus, has_kernels) &&
           std::all_of(gpus.devices.begin(), gpus.devices.end(), [&](const Gpu& gpu) {
               return gpu.compute_capability < blackwell || knows_blackwell;
           });
}

std::string compatibility_warning(const Tag& tag, const Gpus& gpus) {
    return fmt::format(
        "the NVIDIA driver {} runs CUDA {}; PyTorch's {} wheels are made for CUDA {} and run on it "
        "by NVIDIA's minor-version compatibility only: what compiles kernels as it runs may fail. "
        "Driver {} or newer has no such limit",
        gpus.driver, cuda_name(gpus.cuda), tag.name, cuda_name(tag.cuda),
        oldest_driver_of(tag.cuda));
}

[[noreturn]] void refuse(const Gpus& gpus) {
    const auto oldest_that_fits = std::find_if(
        tags.rbegin(), tags.rend(), [&](const Tag& tag) { return fits_all(tag, gpus, runs_on); });
    if (oldest_that_fits == tags.rend())
        throw Error{ErrorKind::preflight,
                    "no PyTorch wheel has kernels for all of these GPUs: " + describe(gpus),
                    "take a pod with GPUs of one generation, or set python.torch: cpu"};
    const std::string driver =
        gpus.cuda == 0 ? fmt::format("the NVIDIA driver {} does not tell which CUDA it runs",
                                     gpus.driver.empty() ? "(of unknown version)" : gpus.driver)
                       : fmt::format("the NVIDIA driver {} runs CUDA {} at most", gpus.driver,
                                     cuda_name(gpus.cuda));
    throw Error{ErrorKind::preflight,
                fmt::format("{}, but {} needs PyTorch with CUDA {} or newer", driver,
                            describe(gpus), cuda_name(oldest_that_fits->cuda)),
                fmt::format("take a host with NVIDIA driver {} or newer, or set python.torch: cpu",
                            oldest_driver_of(oldest_that_fits->cuda))};
}

}  // namespace

std::string why_torch_is_idle(std::string_view tag, const Gpus& gpus) {
    if (gpus.devices.empty()) return {};
    if (tag == "cpu") return "is made for CPUs alone, and here is " + describe(gpus);
    const auto known = std::ranges::find(tags, tag, &Tag::name);
    if (known == tags.end()) return {};
    if (!fits_all(*known, gpus, runs_on))
        return fmt::format("may have no kernels for {}", describe(gpus));
    const bool is_driver_new_enough = gpus.cuda == 0 || known->cuda <= gpus.cuda;
    if (is_driver_new_enough || may_run(*known, gpus)) return {};
    return fmt::format("is made for CUDA {}, and the NVIDIA driver {} runs {} at most",
                       cuda_name(known->cuda), gpus.driver, cuda_name(gpus.cuda));
}

TorchTag torch_tag(const Gpus& gpus) {
    if (gpus.devices.empty()) {
        const bool expected = !gpus.problem.empty();
        return {.name = "cpu",
                .warning = expected ? "PyTorch without CUDA is taken: " + gpus.problem : ""};
    }
    for (const Tag& tag : tags)
        if (tag.cuda <= gpus.cuda && fits_all(tag, gpus, runs_on))
            return {.name = std::string{tag.name}, .warning = {}};
    const auto tag =
        std::find_if(tags.rbegin(), tags.rend(), [&](const Tag& it) { return may_run(it, gpus); });
    if (tag == tags.rend()) refuse(gpus);
    return {.name = std::string{tag->name}, .warning = compatibility_warning(*tag, gpus)};
}

}  // namespace podctl::machine
