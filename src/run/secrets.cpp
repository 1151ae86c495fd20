#include "podctl/run/secrets.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/secret_names.hpp"
#include "podctl/hub/source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <optional>
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

struct Found {
    std::string value, where;
};

// huggingface_hub's own login is no more than a habit: one that cannot be read is as good as none.
std::optional<Found> stored_hugging_face_token() {
    std::filesystem::path file;
    std::string value;
    if (const auto path = environment("HF_TOKEN_PATH"); !path.empty()) {
        file = expand_home(path);
        if (file_stamp(file)) value = read_secret_file("HF_TOKEN", "HF_TOKEN_PATH", file);
    } else if (const auto home = hugging_face_home(); !home.empty()) {
        file = home / "token";
        try {
            value = trim(read_file_if_exists(file).value_or(""));
        } catch (const Error&) {
            return std::nullopt;
        }
    }
    if (value.empty()) return std::nullopt;
    return Found{value, fmt::format("the login stored in {}", file.string())};
}

std::optional<Found> value_under(const std::string& name) {
    if (auto value = environment(name.c_str()); !value.empty()) return Found{value, "$" + name};
    const std::string file_variable = name + "_FILE";
    std::string file = environment(file_variable.c_str());
    if (file.empty()) {
        file = "/run/secrets/" + name;
        if (!file_stamp(file)) return std::nullopt;
    }
    auto value = read_secret_file(name, file_variable, file);
    if (value.empty()) return std::nullopt;
    return Found{std::move(value), "the file " + file};
}

using Names = std::vector<std::string>;

// Names that the field uses for one thing.
const Names& names_like(const std::string& name) {
    static const std::array<Names, 2> groups{
        Names{"CIVITAI_API_KEY", "CIVITAI_TOKEN", "CIVITAI_API_TOKEN"},
        Names{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}};
    static const Names alone;
    for (const auto& group : groups)
        if (std::ranges::find(group, name) != group.end()) return group;
    return alone;
}

enum class StoredLogin { ignored, taken };

std::optional<Found> find_value(const std::string& name, StoredLogin login) {
    if (auto found = value_under(name)) return found;
    for (const auto& other : names_like(name))
        if (auto found = value_under(other)) return found;
    if (name != "HF_TOKEN" || login == StoredLogin::ignored) return std::nullopt;
    return stored_hugging_face_token();
}

void read_values(std::span<const std::string> names, StoredLogin login, Secrets& secrets) {
    for (const auto& name : names) {
        auto found = find_value(name, login);
        if (!found) {
            secrets.missing.push_back(name);
            continue;
        }
        secrets.found_in.emplace(name, std::move(found->where));
        secrets.values.emplace(name, Secret{std::move(found->value)});
    }
}

void add(std::vector<Secret>& to, const std::vector<Secret>& more) {
    to.insert(to.end(), more.begin(), more.end());
}

// Scheme, host and port of a URL, as the prefix of a credential. Of the hubs it is what requests go
// to, whatever was written (http://, www., hf.co).
std::string origin_of(const hub::Source& source) {
    if (const auto* civitai = std::get_if<hub::CivitaiSource>(&source.location))
        return civitai->origin + "/";
    const auto url = parse_url(source.text);
    if (const auto* hub = std::get_if<hub::HuggingFaceSource>(&source.location)) {
        for (const auto& [from, to] : hub::endpoint_mirrors()) {
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
    list_as_secrets(pod.secrets);
    Secrets secrets;
    std::vector<hub::Source> sources;
    for (const auto& model : pod.models)
        sources.push_back(hub::parse_source(model.source));
    secrets.in_sources = credentials_in(sources);
    read_values(pod.secrets, StoredLogin::taken, secrets);
    secrets.hidden = pod.hidden;
    add(secrets.hidden, secrets_of_environment());
    return secrets;
}

Secrets read_hub_secrets() {
    static const Names names{"CIVITAI_API_KEY", "HF_TOKEN"};
    Secrets secrets;
    read_values(names, StoredLogin::ignored, secrets);
    secrets.hidden = secrets_of_environment();
    return secrets;
}

Redactor environment_redactor() {
    return Redactor{secrets_of_environment()};
}

std::vector<http::Credential> credentials_in(std::span<const hub::Source> sources) {
    std::vector<http::Credential> credentials;
    for (const auto& source : sources) {
        if (source.token_in_query.empty()) continue;
        const auto origin = origin_of(source);
        if (!origin.empty()) credentials.push_back({origin, Secret{source.token_in_query}});
    }
    return credentials;
}

Redactor redactor_of(const Secrets& secrets) {
    std::vector<Secret> values = secrets.hidden;
    for (const auto& [name, value] : secrets.values)
        values.push_back(value);
    for (const auto& credential : secrets.in_sources)
        values.push_back(credential.token);
    return Redactor{values};
}

}  // namespace podctl::run
