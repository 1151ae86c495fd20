#include "podctl/base/names.hpp"

#include "machine_checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <map>
#include <set>

namespace podctl::run {
namespace {

constexpr std::chrono::seconds patience{15};

struct Address {
    std::string url;
    std::string text;  // as the template says it
};

// Everything that the template fetches from.
std::vector<Address> sources_of(const tmpl::Template& pod) {
    std::vector<Address> sources;
    const auto add = [&](const std::string& url) { sources.push_back({url, url}); };
    if (pod.comfyui) add(pod.comfyui->source);
    for (const auto& repository : pod.repositories)
        add(repository.git);
    for (const auto& node : pod.custom_nodes) {
        if (const auto* git = std::get_if<tmpl::GitNode>(&node.source)) add(git->git);
        if (std::holds_alternative<tmpl::RegistryNode>(node.source)) add("https://api.comfy.org/");
    }
    for (const auto& model : pod.models)
        sources.push_back({first_url_of(hub::parse_source(model.source)), model.source});
    // A hub's token is there to be used.
    for (const auto& secret : pod.secrets) {
        if (secret == "CIVITAI_API_KEY") add("https://civitai.com/");
        if (secret == "HF_TOKEN") add("https://huggingface.co/");
    }
    return sources;
}

struct Origin {
    std::string url;     // what is asked
    std::string mirror;  // of what it is the mirror; empty: it is none
};

// One request for each host, whatever is fetched from it.
std::map<std::string, Origin> origins_of(const Context& context) {
    std::map<std::string, Origin> origins;
    for (const auto& source : sources_of(context.pod)) {
        const auto url = parse_url(context.mirrors.apply(source.url));
        if (!url || !url->scheme.starts_with("http")) continue;
        // The name of a host is asked for, too.
        if (!context.may_ask(source.text, source.url)) continue;
        const bool mirrored = context.mirrors.covers(source.url);
        Url root = *url;
        root.userinfo = root.path = root.query = root.fragment = "";
        const std::string origin = root.to_string();
        origins.try_emplace(origin,
                            Origin{.url = origin + "/", .mirror = mirrored ? source.url : ""});
    }
    return origins;
}

// Why it cannot be reached; empty: it answers. Whatever it says, it is there.
std::string ask(http::Client& http, const std::string& url, const std::stop_token& stop) {
    try {
        http.send({.url = url,
                   .method = "HEAD",
                   .timeout = patience,
                   .redirects = http::Request::Redirects::report,
                   .authorization = http::Request::Authorization::none},
                  stop);
        return {};
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::network) throw;
        return error.message();
    }
}

}  // namespace

void check_tokens(Examination& found) {
    const auto& context = found.context();
    for (const auto& name : context.pod.secrets) {
        if (const auto where = context.secrets.found_in.find(name);
            where != context.secrets.found_in.end()) {
            found.ok("secret " + name, "has a value, from " + where->second);
        } else {
            found.warn(
                "secret " + name, fmt::format("secret {} has no value", name),
                fmt::format("set ${}, or ${}_FILE, or the file /run/secrets/{}", name, name, name));
        }
    }
}

void check_origins(Examination& found, Finding::Grade unreachable) {
    auto& context = found.context();
    if (context.options.offline) return;
    std::map<std::string, std::future<std::string>> asked;
    const auto origins = origins_of(context);
    for (const auto& [origin, it] : origins) {
        asked.emplace(origin, std::async(std::launch::async, [&, url = it.url] {
                          return ask(context.http(), url, found.stop());
                      }));
    }
    for (auto& [origin, answer] : asked) {
        const std::string why = answer.get();
        const std::string& mirror = origins.at(origin).mirror;
        const std::string what = mirror.empty() ? origin : fmt::format("{} (mirror)", origin);
        if (why.empty()) {
            found.ok("origin", what + " answers");
            continue;
        }
        found.add({"origin", unreachable, fmt::format("{} cannot be reached: {}", what, why),
                   mirror.empty() ? "check the network, the proxy (https_proxy), or set a mirror"
                                  : "correct `mirrors`, or --mirror"});
    }
}

}  // namespace podctl::run
