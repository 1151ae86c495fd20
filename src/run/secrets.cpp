#include "podctl/run/secrets.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/fetch/source.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdlib>

namespace podctl::run {
namespace {

std::string read_secret_file(const std::string& name, const std::string& path) {
    try {
        return std::string{trim(read_file(path))};
    } catch (const Error& error) {
        throw Error{ErrorKind::preflight, fmt::format("secret {}: {}", name, error.message()),
                    fmt::format("let {}_FILE name a file that can be read, or unset it", name)};
    }
}

std::string value_of(const std::string& name) {
    if (const char* value = std::getenv(name.c_str()); value && *value)
        return std::string{trim(value)};
    if (const char* path = std::getenv((name + "_FILE").c_str()); path && *path) {
        return read_secret_file(name, path);
    }
    const std::string mounted = "/run/secrets/" + name;
    return file_stamp(mounted) ? read_secret_file(name, mounted) : std::string{};
}

}  // namespace

Secrets read_secrets(const tmpl::Template& pod) {
    Secrets secrets;
    for (const auto& model : pod.models) {
        const auto source = fetch::parse_source(model.source);
        const auto url = parse_url(source.text);
        if (source.token_in_query.empty() || !url) continue;
        const Url origin{.scheme = url->scheme,
                         .userinfo = {},
                         .host = url->host,
                         .port = url->port,
                         .path = "/",
                         .query = {},
                         .fragment = {}};
        secrets.in_sources.push_back({origin.to_string(), Secret{source.token_in_query}});
    }
    for (const auto& name : pod.secrets) {
        std::string value = value_of(name);
        if (value.empty()) {
            secrets.missing.push_back(name);
        } else {
            secrets.values.emplace(name, Secret{std::move(value)});
        }
    }
    return secrets;
}

Redactor redactor_of(const Secrets& secrets) {
    std::vector<Secret> values;
    for (const auto& [name, value] : secrets.values)
        values.push_back(value);
    for (const auto& credential : secrets.in_sources)
        values.push_back(credential.token);
    return Redactor{values};
}

std::vector<fetch::Credential> credentials_of(const Secrets& secrets, const Mirrors& mirrors) {
    struct Hub {
        const char* secret;
        const char* prefix;
    };
    static constexpr std::array hubs{Hub{"CIVITAI_API_KEY", "https://civitai.com/"},
                                     Hub{"CIVITAI_API_KEY", "https://civitai.red/"},
                                     Hub{"HF_TOKEN", "https://huggingface.co/"}};
    std::vector<fetch::Credential> credentials;
    for (const auto& given : secrets.in_sources) {
        credentials.push_back({mirrors.apply(given.url_prefix), given.token});
    }
    for (const auto& hub : hubs) {
        const auto it = secrets.values.find(hub.secret);
        if (it == secrets.values.end()) continue;
        credentials.push_back({mirrors.apply(hub.prefix), it->second});
    }
    return credentials;
}

}  // namespace podctl::run
