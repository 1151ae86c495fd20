#include "civitai_api.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/url.hpp"
#include "podctl/http/retry.hpp"
#include "podctl/hub/hub_errors.hpp"

#include <fmt/core.h>

namespace podctl::hub::civitai_api {
namespace {

// A model of a hundred versions, each with its sample images and what they were made with, is some
// MiB.
constexpr JsonLimits limits{.bytes = 16u << 20};

}  // namespace

http::Response send_to_civitai(const std::string& origin, const std::string& path,
                               const Asking& asking) {
    const http::Request request{.url = asking.mirrors.apply(origin + path),
                                .headers = {{"Accept", "application/json"}},
                                .max_body = limits.bytes};
    return http::send_with_retry(asking.http, request, asking.retry, asking.stop);
}

json parse_answer(std::string_view body, const std::string& what) {
    auto answer = parse_ordered_json(body, limits);
    if (answer && answer->is_object()) return *std::move(answer);
    const auto fault = answer ? "no JSON object" : json_fault(body, limits);
    throw Error{ErrorKind::network, fmt::format("{}: Civitai's answer is {}", what, fault),
                "something between here and Civitai (a proxy, a mirror) answers in its place"};
}

json ask_civitai(const std::string& origin, const std::string& path, const std::string& what,
                 const Asking& asking) {
    const auto response = send_to_civitai(origin, path, asking);
    if (response.status != 200) throw refusal(response, origin + path, what);
    return parse_answer(response.body, what);
}

std::string origin_of(const std::string& url) {
    const auto scheme = url.find("://");
    return scheme == std::string::npos ? url : url.substr(0, url.find('/', scheme + 3));
}

std::string text_at(const json& object, const char* key) {
    const json& value = member(object, key);
    return value.is_string() ? value.get<std::string>() : std::string{};
}

long long id_at(const json& object, const char* key) {
    const json& value = member(object, key);
    return value.is_number_integer() ? value.get<long long>() : 0;
}

const json& member(const json& object, const char* key) {
    static const json nothing;
    if (!object.is_object()) return nothing;
    const auto found = object.find(key);
    return found != object.end() ? *found : nothing;
}

}  // namespace podctl::hub::civitai_api
