#pragma once

#include "podctl/plan/plan.hpp"
#include "podctl/python/python.hpp"

#include "context.hpp"

#include <filesystem>
#include <string_view>
#include <vector>

// What ComfyUI is going to read at its start and for its first prompt, so that it may come from
// memory by then.
namespace podctl::run {

// torch's own libraries: a container that has just been started has them on a disk, or behind a
// registry, and its first import waits for them page by page. Those of CUDA beside them are larger,
// and little of them is touched.
std::vector<std::filesystem::path> libraries_of_torch(const python::Interpreter& base);

// The plan's files of models that a workflow names, in any of ComfyUI's formats: each of its texts
// that ends in a file's name counts. Nothing of one that is no JSON.
std::vector<std::filesystem::path> models_named_in(std::string_view workflow,
                                                   const plan::Plan& plan);

}  // namespace podctl::run
