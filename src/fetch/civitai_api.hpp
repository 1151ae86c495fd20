#pragma once

#include "hubs.hpp"

#include <nlohmann/json.hpp>

#include <string>

// Civitai's API v1: the question, and its answer's fields, any of which may be missing.
namespace podctl::fetch::civitai_api {

// In the order in which Civitai gives it: civitdl's metadata keeps that.
using json = nlohmann::ordered_json;

// An object; what is nested deeper than 64 levels is left out of it. `what` names what is asked
// for in messages. Throws refusal(), Error{network} when the answer is no JSON object.
json ask_civitai(const std::string& origin, const std::string& path, const std::string& what,
                 const Asking& asking);

// "https://civitai.com" of a URL below it, as it was written.
std::string origin_of(const std::string& url);

// Absent, null and a value of another type are the same: empty, 0 and null.
std::string text_at(const json& object, const char* key);
long long id_at(const json& object, const char* key);
const json& member(const json& object, const char* key);

}  // namespace podctl::fetch::civitai_api
