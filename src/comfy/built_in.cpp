#include "podctl/comfy/workflow_run.hpp"

#include <nlohmann/json.hpp>

#include <random>

namespace podctl::comfy {

std::string built_in_workflow() {
    std::random_device random;
    const unsigned color = random() & 0xFFFFFF;
    const nlohmann::json nodes = {
        {"1",
         {{"class_type", "EmptyImage"},
          {"inputs", {{"width", 64}, {"height", 64}, {"batch_size", 1}, {"color", color}}}}},
        {"2", {{"class_type", "ImageInvert"}, {"inputs", {{"image", {"1", 0}}}}}},
        {"3", {{"class_type", "PreviewImage"}, {"inputs", {{"images", {"2", 0}}}}}}};
    return nodes.dump();
}

}  // namespace podctl::comfy
