#include "podctl/base/host.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/overloaded.hpp"
#include "podctl/run/secrets.hpp"

#include <algorithm>
#include <array>

// Who is given which secret: the one place that decides it, for requests and for what is told.
namespace podctl::run {
namespace {

struct Grant {
    std::string secret;
    std::string prefix;  // of the hub
    http::Credential credential;
};

struct Hub {
    std::string_view prefix;
    std::vector<std::string> secrets;  // the first that has a value
};

const std::vector<Hub>& hubs() {
    static const std::vector<std::string> civitai{"CIVITAI_API_KEY", "CIVITAI_TOKEN",
                                                  "CIVITAI_API_TOKEN"};
    static const std::vector<Hub> all{
        {"https://civitai.com/", civitai},
        {"https://civitai.red/", civitai},
        {"https://huggingface.co/", {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}},
        {"https://github.com/", {"GITHUB_TOKEN"}},
        {"https://api.github.com/", {"GITHUB_TOKEN"}},
    };
    return all;
}

// GIT_TOKEN_git_example_com: "https://git.example.com/"; a hyphen of the host is two underscores.
std::string prefix_of_host_token(std::string_view name) {
    constexpr std::string_view start = "GIT_TOKEN_";
    if (!name.starts_with(start)) return {};
    std::string host;
    for (const char c : to_lower(name.substr(start.size()))) {
        if (c == '_' && host.ends_with('.'))
            host.back() = '-';
        else
            host += c == '_' ? '.' : c;
    }
    const auto url = parse_url("https://" + host + "/");
    return url && host_fault(*url).empty() ? url->to_string() : std::string{};
}

std::vector<Grant> grants_of(const Secrets& secrets, const Mirrors& mirrors) {
    std::vector<Grant> grants;
    for (const auto& given : secrets.in_sources) {
        grants.push_back(
            {"?token=", given.url_prefix, {mirrors.apply(given.url_prefix), given.token}});
    }
    // Before the hubs', so that of two tokens for github.com the one that says so goes there.
    for (const auto& [name, token] : secrets.values) {
        const std::string prefix = prefix_of_host_token(name);
        if (!prefix.empty()) grants.push_back({name, prefix, {mirrors.apply(prefix), token, name}});
    }
    for (const auto& hub : hubs()) {
        for (const auto& name : hub.secrets) {
            const auto it = secrets.values.find(name);
            if (it == secrets.values.end()) continue;
            const std::string prefix{hub.prefix};
            grants.push_back({name, prefix, {mirrors.apply(prefix), it->second, name}});
            break;
        }
    }
    return grants;
}

// As people write it: a scheme's own port is left out.
std::string shown_origin(const Url& url) {
    Url origin = url;
    origin.userinfo = origin.path = origin.query = origin.fragment = "";
    return origin.to_string();
}

Recipient::By kind_of(const Grant& grant, const Mirrors& users) {
    if (grant.credential.url_prefix == grant.prefix) return Recipient::By::hub;
    return users.apply(grant.prefix) == grant.credential.url_prefix
               ? Recipient::By::users_mirror
               : Recipient::By::templates_mirror;
}

}  // namespace

std::vector<http::Credential> credentials_of(const Secrets& secrets, const Mirrors& mirrors) {
    std::vector<http::Credential> credentials;
    for (auto& grant : grants_of(secrets, mirrors))
        credentials.push_back(std::move(grant.credential));
    return credentials;
}

const char* word_of(Recipient::By by) {
    switch (by) {
        case Recipient::By::hub:
            return "the hub";
        case Recipient::By::users_mirror:
            return "a mirror of yours";
        case Recipient::By::templates_mirror:
            return "a mirror of the template";
    }
    return "";
}

std::string first_url_of(const hub::Source& source) {
    return std::visit(overloaded{[](const hub::CivitaiSource& it) { return it.origin + "/"; },
                                 [](const hub::HuggingFaceSource& it) { return it.endpoint + "/"; },
                                 [](const hub::UrlSource& it) { return it.url; }},
                      source.location);
}

namespace {

// Of the models and of what is cloned.
std::vector<std::string> first_urls_of(const tmpl::Template& pod) {
    std::vector<std::string> urls;
    if (pod.comfyui) urls.push_back(pod.comfyui->source);
    for (const auto& repository : pod.repositories)
        urls.push_back(repository.git);
    for (const auto& node : pod.custom_nodes)
        if (const auto* git = std::get_if<tmpl::GitNode>(&node.source)) urls.push_back(git->git);
    for (const auto& model : pod.models)
        urls.push_back(first_url_of(hub::parse_source(model.source)));
    return urls;
}

}  // namespace

std::vector<Recipient> recipients_of(const tmpl::Template& pod, const Secrets& secrets) {
    const Mirrors mirrors{pod.mirrors}, users{pod.users_mirrors};
    const auto grants = grants_of(secrets, mirrors);
    std::vector<Recipient> recipients;
    for (const auto& asked : first_urls_of(pod)) {
        const auto target = parse_url(mirrors.apply(asked));
        for (const auto& grant : grants) {
            const auto prefix = parse_url(grant.credential.url_prefix);
            if (!prefix || !target || prefix->origin() != target->origin()) continue;
            Recipient recipient{grant.secret, shown_origin(*prefix), kind_of(grant, users)};
            if (std::ranges::find(recipients, recipient) == recipients.end())
                recipients.push_back(std::move(recipient));
        }
    }
    return recipients;
}

}  // namespace podctl::run
