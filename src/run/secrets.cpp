#include "podctl/run/secrets.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/fetch/source.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <span>

namespace podctl::run {
namespace {

// `variable` is the one that names the file.
std::string read_secret_file(const std::string& name, const std::string& variable,
                             const std::filesystem::path& path) {
    try {
        return std::string{trim(read_file(path))};
    } catch (const Error& error) {
        throw Error{ErrorKind::preflight, fmt::format("secret {}: {}", name, error.message()),
                    fmt::format("let {} name a file that can be read, or unset it", variable)};
    }
}

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return std::string{trim(value ? value : "")};
}

std::filesystem::path expand_home(const std::string& path) {
    return path.starts_with("~/") ? environment("HOME") + path.substr(1) : path;
}

// $HF_HOME, else $XDG_CACHE_HOME/huggingface (huggingface_hub, constants.py).
std::filesystem::path hugging_face_home() {
    if (const auto home = environment("HF_HOME"); !home.empty()) return expand_home(home);
    if (const auto cache = environment("XDG_CACHE_HOME"); !cache.empty())
        return expand_home(cache) / "huggingface";
    const auto home = environment("HOME");
    if (home.empty()) return {};
    return home + "/.cache/huggingface";
}

// Where huggingface_hub looks after $HF_TOKEN. Its own login file is no more than a habit: one that
// cannot be read is as good as none.
std::string stored_hugging_face_token() {
    if (auto token = environment("HUGGING_FACE_HUB_TOKEN"); !token.empty()) return token;
    if (const auto path = environment("HF_TOKEN_PATH"); !path.empty()) {
        const auto file = expand_home(path);
        return file_stamp(file) ? read_secret_file("HF_TOKEN", "HF_TOKEN_PATH", file)
                                : std::string{};
    }
    const auto home = hugging_face_home();
    if (home.empty()) return {};
    try {
        return std::string{trim(read_file_if_exists(home / "token").value_or(""))};
    } catch (const Error&) {
        return {};
    }
}

std::string value_of(const std::string& name) {
    if (auto value = environment(name.c_str()); !value.empty()) return value;
    const std::string file_variable = name + "_FILE";
    if (const auto path = environment(file_variable.c_str()); !path.empty())
        return read_secret_file(name, file_variable, path);
    const std::string mounted = "/run/secrets/" + name;
    if (file_stamp(mounted)) return read_secret_file(name, file_variable, mounted);
    return name == "HF_TOKEN" ? stored_hugging_face_token() : std::string{};
}

void read_values(std::span<const std::string> names, Secrets& secrets) {
    for (const auto& name : names) {
        std::string value = value_of(name);
        if (value.empty()) {
            secrets.missing.push_back(name);
        } else {
            secrets.values.emplace(name, Secret{std::move(value)});
        }
    }
}

// Scheme, host and port of a URL, as the prefix of a credential. Of the hubs it is what requests go
// to, whatever was written (http://, www., hf.co).
std::string origin_of(const fetch::Source& source) {
    if (const auto* civitai = std::get_if<fetch::CivitaiSource>(&source.location))
        return civitai->origin + "/";
    const auto url = parse_url(source.text);
    if (const auto* hub = std::get_if<fetch::HuggingFaceSource>(&source.location)) {
        for (const auto& [from, to] : fetch::endpoint_mirrors()) {
            const auto mirror = parse_url(to);
            if (url && mirror && url->origin() == mirror->origin()) return to;
        }
        return hub->endpoint + "/";
    }
    if (!url) return {};
    return Url{.scheme = url->scheme,
               .userinfo = {},
               .host = url->host,
               .port = url->port,
               .path = "/",
               .query = {},
               .fragment = {}}
        .to_string();
}

}  // namespace

Secrets read_secrets(const tmpl::Template& pod) {
    Secrets secrets;
    std::vector<fetch::Source> sources;
    for (const auto& model : pod.models)
        sources.push_back(fetch::parse_source(model.source));
    secrets.in_sources = credentials_in(sources);
    read_values(pod.secrets, secrets);
    return secrets;
}

Secrets read_hub_secrets() {
    static const std::array<std::string, 2> names{"CIVITAI_API_KEY", "HF_TOKEN"};
    Secrets secrets;
    read_values(names, secrets);
    return secrets;
}

std::vector<fetch::Credential> credentials_in(std::span<const fetch::Source> sources) {
    std::vector<fetch::Credential> credentials;
    for (const auto& source : sources) {
        if (source.token_in_query.empty()) continue;
        const auto origin = origin_of(source);
        if (!origin.empty()) credentials.push_back({origin, Secret{source.token_in_query}});
    }
    return credentials;
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
