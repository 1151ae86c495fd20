#include "civitai_api.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/url.hpp"
#include "podctl/fetch/retry.hpp"

#include "refusal.hpp"

#include <fmt/core.h>

namespace podctl::fetch::civitai_api {
namespace {

// To copy, to print and to free a value takes a call for each level of it.
constexpr int deepest = 64;

json parse(std::string_view text) {
    const auto is_shallow = [](int depth, json::parse_event_t, json&) { return depth <= deepest; };
    return json::parse(text, is_shallow, false);
}

}  // namespace

HttpResponse send_to_civitai(const std::string& origin, const std::string& path,
                             const Asking& asking) {
    const HttpRequest request{.url = asking.mirrors.apply(origin + path),
                              .headers = {{"Accept", "application/json"}}};
    return send_with_retry(asking.http, request, asking.retry, asking.stop);
}

json parse_answer(std::string_view body, const std::string& what) {
    auto answer = parse(body);
    if (!answer.is_object())
        throw Error{ErrorKind::network, fmt::format("{}: Civitai's answer is no JSON", what),
                    "something between here and Civitai (a proxy, a mirror) answers in its place"};
    return answer;
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

}  // namespace podctl::fetch::civitai_api
