#pragma once

#include "hubs.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

// Civitai's API v1: the question, and its answer's fields, any of which may be missing.
namespace podctl::hub::civitai_api {

// In the order in which Civitai gives it: civitdl's metadata keeps that.
using json = nlohmann::ordered_json;

// Any status is a value, once it is none that can pass.
http::Response send_to_civitai(const std::string& origin, const std::string& path,
                               const Asking& asking);

// The object in an answer. Throws Error{network} when there is none, or one beyond the limits
// (podctl/base/json.hpp).
json parse_answer(std::string_view body, const std::string& what);

// Both. `what` names what is asked for in messages. Throws refusal() for every status but 200.
json ask_civitai(const std::string& origin, const std::string& path, const std::string& what,
                 const Asking& asking);

// "https://civitai.com" of a URL below it, as it was written.
std::string origin_of(const std::string& url);

// Absent, null and a value of another type are the same: empty, 0 and null.
std::string text_at(const json& object, const char* key);
long long id_at(const json& object, const char* key);
const json& member(const json& object, const char* key);

}  // namespace podctl::hub::civitai_api
