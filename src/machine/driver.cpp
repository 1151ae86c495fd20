#include "driver.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace podctl::machine {

namespace {

// Far above any version, and far from overflowing when counted as NVML does.
constexpr int greatest_part = 9999;

struct Driver {
    int cuda;
    Version oldest;
};

// Newest first: the versions that PyTorch has wheels for, and the first of each major version,
// which NVIDIA's minor-version compatibility asks for
// (https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html).
constexpr std::array<Driver, 9> drivers{{{13000, {580, 65}},
                                         {12090, {575, 51}},
                                         {12080, {570, 26}},
                                         {12060, {560, 28}},
                                         {12040, {550, 54}},
                                         {12010, {530, 30}},
                                         {12000, {525, 60}},
                                         {11080, {520, 61}},
                                         {11000, {450, 80}}}};

bool is_older(Version a, Version b) {
    return a.major != b.major ? a.major < b.major : a.minor < b.minor;
}

}  // namespace

std::optional<Version> leading_version(std::string_view text) {
    Version version;
    const char* const end = text.data() + text.size();
    const auto major = std::from_chars(text.data(), end, version.major);
    if (major.ec != std::errc{} || version.major < 0) return std::nullopt;
    if (major.ptr != end && *major.ptr == '.') {
        const auto minor = std::from_chars(major.ptr + 1, end, version.minor);
        if (minor.ec != std::errc{} || version.minor < 0) return std::nullopt;
    }
    if (version.major > greatest_part || version.minor > greatest_part) return std::nullopt;
    return version;
}

int cuda_number(Version version) {
    return version.major * 1000 + version.minor * 10;
}

std::string cuda_name(int cuda) {
    return fmt::format("{}.{}", cuda / 1000, cuda % 1000 / 10);
}

int cuda_of_driver(std::string_view driver) {
    const auto version = leading_version(driver);
    if (!version) return 0;
    for (const Driver& known : drivers)
        if (!is_older(*version, known.oldest)) return known.cuda;
    return 0;
}

std::string oldest_driver_of(int cuda) {
    Version oldest;
    for (const Driver& known : drivers)
        if (known.cuda >= cuda) oldest = known.oldest;
    return fmt::format("{}.{}", oldest.major, oldest.minor);
}

}  // namespace podctl::machine
