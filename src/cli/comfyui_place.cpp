#include "comfyui_place.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/url.hpp"
#include "podctl/http/url_rules.hpp"
#include "podctl/serve/control.hpp"

#include "pod_place.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cctype>
#include <cstdlib>

namespace podctl::cli {
namespace {

constexpr const char* header_example =
    "--header 'Authorization=Bearer $POD_TOKEN', in single quotes, so that no list of processes "
    "shows its value";

bool is_variable_character(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

// $NAME and ${NAME}; $$ is a dollar sign, and so is any other $.
std::string with_variables(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text.compare(i, 2, "$$") == 0) {
            out += text[i++];
            continue;
        }
        const bool is_braced = text.compare(i, 2, "${") == 0;
        const auto begin = i + (is_braced ? 2 : 1);
        auto end = begin;
        while (text[i] == '$' && end < text.size() && is_variable_character(text[end]))
            ++end;
        if (text[i] != '$' || end == begin || (is_braced && text.compare(end, 1, "}") != 0)) {
            out += text[i];
            continue;
        }
        const auto name = text.substr(begin, end - begin);
        const char* value = std::getenv(name.c_str());
        if (!value || !*value)
            throw Error{ErrorKind::usage, fmt::format("--header: ${} is not set", name),
                        header_example};
        out += value;
        i = is_braced ? end : end - 1;
    }
    return out;
}

}  // namespace

void add_comfyui_flags(CLI::App& command, ComfyUiArguments& arguments,
                       const std::string& url_help) {
    command.add_option("--url", arguments.url, url_help)->type_name("URL");
    add_duration_flag(command, "--wait", arguments.wait,
                      "wait so long until ComfyUI answers: 2m; not at all unless told");
    add_repeatable(command, "--header", arguments.headers,
                   "send this header to --url; $VARIABLE is its value; may be repeated")
        ->type_name("NAME=VALUE");
    command.add_flag_callback(
        "--insecure-http",
        [&arguments] { arguments.insecure_http = http::Options::InsecureHttp::allow; },
        "send headers and keys over plain http too");
}

std::string checked_comfyui_url(const std::string& given) {
    const auto parsed = parse_url(given);
    if (!parsed || (parsed->scheme != "http" && parsed->scheme != "https"))
        throw Error{ErrorKind::usage, "--url: not an http or https URL",
                    "for instance --url http://127.0.0.1:9000"};
    if (http::has_dot_segments(parsed->path) || parsed->path.find("//") != std::string::npos)
        throw Error{ErrorKind::usage, "--url: its path has . or .. or // in it",
                    "the plain one of the same place"};
    if (!parsed->query.empty() || !parsed->fragment.empty())
        throw Error{ErrorKind::usage, "--url: it has a query",
                    "only the place at which ComfyUI's pages begin"};
    return given;
}

std::string url_of_running_pod(const Common& common, const std::stop_token& stop) {
    const auto places = find_places({}, common);
    const auto status = serve::find_pod_status(places.own, places.pids, stop, print_notice);
    if (status)
        for (const auto& service : status->services)
            if (service.name == serve::comfyui_service && !service.url.empty()) return service.url;
    throw Error{
        ErrorKind::usage,
        fmt::format("{} in {}", status ? "the pod has no ComfyUI that was started" : "no pod runs",
                    places.root.string()),
        "`podctl up` starts one; --url names another ComfyUI"};
}

http::Options options_for(const std::string& url, const ComfyUiArguments& arguments) {
    http::Options options{.insecure_http = arguments.insecure_http};
    if (arguments.headers.empty()) return options;
    auto place = parse_url(url).value_or(Url{});
    while (place.path.ends_with('/'))
        place.path.pop_back();
    if (!http::may_carry_token(place, options))
        throw Error{ErrorKind::usage, "--header: it would go over plain http, where others read it",
                    "an https --url, or --insecure-http"};
    place.userinfo.clear();
    for (const auto& header : arguments.headers) {
        const auto equals = header.find('=');
        if (equals == header.npos || equals == 0)
            throw Error{ErrorKind::usage, "--header: not NAME=VALUE", header_example};
        options.headers.push_back({.url_prefix = place.to_string(),
                                   .name = header.substr(0, equals),
                                   .value = Secret{with_variables(header.substr(equals + 1))}});
    }
    http::placed_header_lines(place, options);
    return options;
}

Secret comfy_api_key() {
    const char* key = std::getenv("COMFY_API_KEY");
    return Secret{key ? key : ""};
}

}  // namespace podctl::cli
