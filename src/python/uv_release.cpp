#include "podctl/python/python.hpp"

// What is run as root on every pod comes in one version, whose bytes are known. To move it on:
// `pip download uv==VERSION --no-deps --only-binary :all: --platform …` for each platform below,
// then `pip hash`.
namespace podctl::python {

const UvRelease& pinned_uv() {
    static const UvRelease release{
        .version = "0.13.9",
        .sha256 = {
            // manylinux_2_17_x86_64
            "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
            // musllinux_1_1_x86_64
            "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25",
            // manylinux_2_17_aarch64 and musllinux_1_1_aarch64
            "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
            // manylinux_2_28_aarch64
            "ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375",
        }};
    return release;
}

}  // namespace podctl::python
