#pragma once

#include "podctl/base/error.hpp"
#include "podctl/http/http.hpp"

#include <string>

namespace podctl::hub {

enum class Hub { civitai, huggingface, other };

// By the host of a URL before mirrors.
Hub hub_of(const std::string& url);

// What an answer that is no success means and what to do about it. `url` is the one before mirrors;
// `what` names the file or model in the message.
Error refusal(const http::Response& response, const std::string& url, const std::string& what);

}  // namespace podctl::hub
