#pragma once

#include "podctl/http/http.hpp"
#include "podctl/workflow/workflow.hpp"

#include <chrono>
#include <stop_token>
#include <string>

namespace podctl::comfy {

// The classes of nodes that a running ComfyUI has: GET /object_info of `url`. Throws Error{smoke}
// for what is not ComfyUI, Error{network} where nobody answers, Error{interrupted}.
workflow::Classes server_classes(const std::string& url, http::Client& http,
                                 std::chrono::milliseconds timeout, std::stop_token stop);

}  // namespace podctl::comfy
