// What nvidia-smi prints: machines have wrappers of it, and drivers that print warnings in between.
#include "podctl/base/error.hpp"

#include "nvidia_smi.hpp"
#include "support.hpp"

namespace {

using namespace podctl;

void read_the_rows(std::string_view input) {
    machine::Gpus gpus;
    machine::read_rows(input, gpus);
    for (const auto& gpu : gpus.devices)
        fuzz::expect(gpu.compute_capability > 0);
}

void read_the_header(std::string_view input) {
    machine::Gpus gpus;
    machine::read_header(input, gpus);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static constexpr void (*readers[])(std::string_view) = {read_the_rows, read_the_header};
    fuzz::dispatch(readers, data, size);
    return 0;
}
