#pragma once

#include "podctl/machine/machine.hpp"

#include <string>
#include <vector>

namespace podctl::machine {

enum class NvmlState {
    absent,   // none of the libraries can be loaded
    silent,   // it does not start; gpus.problem says why
    answers,  // what it tells is in gpus
};
struct NvmlAnswer {
    NvmlState state = NvmlState::absent;
    Gpus gpus;
};

// Asks the first of the libraries that can be loaded. Throws nothing of its own.
NvmlAnswer ask_nvml(const std::vector<std::string>& libraries);

}  // namespace podctl::machine
