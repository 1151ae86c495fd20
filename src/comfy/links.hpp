#pragma once

#include "faults.hpp"

namespace podctl::comfy {

// Links of a prompt that lead nowhere, and nodes that feed each other: of both ComfyUI says no more
// than that it fell over.
Faults broken_links(const json& prompt);

}  // namespace podctl::comfy
