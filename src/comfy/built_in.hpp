#pragma once

#include <string>

namespace podctl::comfy {

// A workflow in the API format that needs no model, and makes a picture that no run before it made:
// ComfyUI keeps results, and answers with them when it is asked the same again. Its picture lies in
// the temp folder.
std::string built_in_workflow();

}  // namespace podctl::comfy
