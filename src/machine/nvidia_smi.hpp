#pragma once

#include "podctl/machine/machine.hpp"

#include <chrono>
#include <filesystem>
#include <string_view>

namespace podctl::machine {

// What nvidia-smi tells, for machines where NVML cannot be loaded (a static build, a folder that
// the loader does not look into). Two child processes. A program that fails, hangs or prints
// anything else is told in `problem`.
Gpus ask_nvidia_smi(const std::filesystem::path& program, std::chrono::milliseconds timeout);

// Adds what its rows (--query-gpu=name,memory.total,memory.free,compute_cap,driver_version,uuid
// --format=csv,noheader,nounits) tell. The first line that is none becomes the problem.
void read_rows(std::string_view output, Gpus& gpus);

// Adds the CUDA version, and the driver's where that is not known, from the table that it prints
// without arguments.
void read_header(std::string_view output, Gpus& gpus);

}  // namespace podctl::machine
