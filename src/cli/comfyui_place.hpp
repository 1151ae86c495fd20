#pragma once

#include "podctl/base/secret.hpp"
#include "podctl/http/http.hpp"

#include "command.hpp"

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace podctl::cli {

// Which running ComfyUI a command means, and what opens its door.
struct ComfyUiArguments {
    std::string url;                   // empty: the pod's
    std::vector<std::string> headers;  // NAME=VALUE, where $VARIABLE is its value
    std::optional<std::chrono::milliseconds> wait;
    http::Options::InsecureHttp insecure_http = http::Options::InsecureHttp::refuse;
};

// --url, --header, --wait, --insecure-http.
void add_comfyui_flags(CLI::App& command, ComfyUiArguments& arguments, const std::string& url_help);

// --url as it was given, once it is one. Throws Error{usage}.
std::string checked_comfyui_url(const std::string& given);

// Where the ComfyUI of this machine's pod answers: of --root, else of /workspace. Throws
// Error{usage} when none runs there.
std::string url_of_running_pod(const Common& common, const std::stop_token& stop);

// For the client that asks it, with the headers that were given. Throws Error{usage} for one that
// is none, whose variable is not set, or that would go over plain http to another machine.
http::Options options_for(const std::string& url, const ComfyUiArguments& arguments);

// $COMFY_API_KEY; empty: there is none.
Secret comfy_api_key();

}  // namespace podctl::cli
