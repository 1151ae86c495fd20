#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace podctl::machine {

// The first two numbers of a version: of a driver (550.54.15), of CUDA (12.4), of a compute
// capability (8.9).
struct Version {
    int major = 0, minor = 0;
};
// The version that `text` begins with; nullopt: none, or one that no version is ("[N/A]").
std::optional<Version> leading_version(std::string_view text);

// CUDA as NVML counts it: 12040 is 12.4.
int cuda_number(Version version);
std::string cuda_name(int cuda);

// The newest CUDA that a driver of this version runs, for when nothing tells it: never too new, at
// times a minor version too old. 0: none since CUDA 11, or no version.
int cuda_of_driver(std::string_view driver);

// The oldest Linux driver that runs this CUDA, "570.26".
std::string oldest_driver_of(int cuda);

}  // namespace podctl::machine
