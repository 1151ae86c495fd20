#include "podctl/python/python.hpp"

#include "marker.hpp"
#include "requirement.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string>

namespace podctl::python {

namespace {

// The better one first: contrib has all that plain has, and headless needs no libGL, which GPU
// images seldom bring. They all are the one module cv2.
constexpr std::array opencv_variants = {"opencv-contrib-python-headless", "opencv-contrib-python",
                                        "opencv-python-headless", "opencv-python"};

}  // namespace

std::vector<std::string> duplicates_to_exclude(const std::vector<RequirementLine>& lines, Gpu gpu) {
    const bool has_gpu = gpu == Gpu::present;
    std::set<std::string> asked;
    for (const RequirementLine& line : lines) {
        if (!line.constraint && marker_may_hold(marker_of(line.text))) asked.insert(line.name);
    }
    std::vector<std::string> excluded;
    const auto kept = std::find_if(opencv_variants.begin(), opencv_variants.end(),
                                   [&](const char* variant) { return asked.contains(variant); });
    if (kept != opencv_variants.end()) {
        // Those that nobody names too: packages ask for them behind the scenes.
        for (const char* variant : opencv_variants) {
            if (variant != *kept) excluded.emplace_back(variant);
        }
    }
    const bool asks_plain = asked.contains("onnxruntime");
    const bool asks_gpu = asked.contains("onnxruntime-gpu");
    if (asks_gpu && (has_gpu || !asks_plain)) {
        excluded.emplace_back("onnxruntime");
    } else if (asks_plain && !has_gpu) {
        excluded.emplace_back("onnxruntime-gpu");
    }
    if (asked.contains("comfy")) excluded.emplace_back("comfy");
    return excluded;
}

}  // namespace podctl::python
