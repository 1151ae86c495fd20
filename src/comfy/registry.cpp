#include "podctl/base/error.hpp"
#include "podctl/base/host.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/json_fields.hpp"
#include "podctl/base/shorten.hpp"
#include "podctl/comfy/comfy.hpp"
#include "podctl/http/retry.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

// https://docs.comfy.org/api-reference/registry: GET /nodes/{id}, /nodes/{id}/versions and
// /nodes/{id}/versions/{version}. GET /nodes/{id}/install counts an install, so it is not asked.
namespace podctl::comfy {

using nlohmann::json;

namespace {

constexpr std::string_view registry_url = "https://api.comfy.org";
constexpr std::size_t versions_to_name = 12;

struct Registry {
    http::Client& http;
    const Mirrors& mirrors;
    const http::RetryPolicy& retry;
    std::stop_token stop;

    // nullopt: 404.
    struct Answer {
        json content;
        bool from_internet = false;
    };
    std::optional<Answer> get(const std::string& path) const;
};

std::optional<Registry::Answer> Registry::get(const std::string& path) const {
    const auto response =
        http::send_with_retry(http,
                              {.url = mirrors.apply(std::string(registry_url) + path),
                               .headers = {{"Accept", "application/json"}}},
                              retry, stop);
    if (response.status == 404) return std::nullopt;
    if (response.status < 200 || response.status > 299)
        throw Error{ErrorKind::network,
                    fmt::format("the Comfy registry answered {} for {}", response.status, path),
                    "try again later, or take the pack by git"};
    auto body = parse_json(response.body);
    if (!body)
        throw Error{ErrorKind::network,
                    fmt::format("the answer of {} is {}", response.url, json_fault(response.body)),
                    "check a proxy, or the mirror of https://api.comfy.org"};
    return Answer{*std::move(body), response.from_internet};
}

std::string status_of(const json& version) {
    constexpr std::string_view prefix = "NodeVersionStatus";
    auto status = text_at(version, "status");
    return status.starts_with(prefix) ? status.substr(prefix.size()) : status;
}

bool is_withdrawn(const json& version) {
    const auto status = status_of(version);
    return status == "Banned" || status == "Deleted";
}

std::string verdict_of(const std::string& id, const json& version) {
    const auto status = status_of(version);
    const auto name = fmt::format("{} {}", id, text_at(version, "version"));
    if (status == "Flagged") return name + " is flagged by the registry's security scan";
    if (status == "Banned") return name + " is banned by the Comfy registry";
    if (status == "Deleted") return name + " was withdrawn from the Comfy registry";
    return {};
}

std::string note_of(const std::string& id, const json& version) {
    const auto status = status_of(version);
    const auto name = fmt::format("{} {}", id, text_at(version, "version"));
    if (status == "Pending") return name + " has not passed the registry's security scan yet";
    const auto deprecated = version.find("deprecated");
    if (deprecated != version.end() && deprecated->is_boolean() && deprecated->get<bool>())
        return name + " is deprecated";
    return {};
}

RegistryVersion describe_version(const std::string& id, const json& version) {
    constexpr std::size_t length_of_day = 10;
    RegistryVersion read{.version = text_at(version, "version"),
                         .download_url = text_at(version, "downloadUrl"),
                         .dependencies = {},
                         .note = note_of(id, version),
                         .day = text_at(version, "createdAt").substr(0, length_of_day),
                         .verdict = verdict_of(id, version)};
    if (const auto listed = version.find("dependencies");
        listed != version.end() && listed->is_array())
        for (const auto& dependency : *listed)
            if (dependency.is_string()) read.dependencies.push_back(dependency);
    return read;
}

// Of the web alone: an answer from afar must not name a file of this machine.
bool can_be_downloaded(const std::string& text) {
    const auto url = parse_url(text);
    return url && (url->scheme == "https" || url->scheme == "http") && host_fault(*url).empty();
}

RegistryVersion read_version(const std::string& id, const json& version, bool from_internet) {
    RegistryVersion read = describe_version(id, version);
    read.from_internet = from_internet;
    if (!read.verdict.empty() && read.download_url.empty())
        throw Error{ErrorKind::not_found, read.verdict,
                    "choose another version, or take the pack by git"};
    if (read.version.empty() || !can_be_downloaded(read.download_url))
        throw Error{ErrorKind::not_found,
                    fmt::format("the Comfy registry gives no download for {} {}", id, read.version),
                    "choose another version, or take the pack by git"};
    return read;
}

Error no_such_pack(const std::string& id) {
    return Error{ErrorKind::not_found, fmt::format("the Comfy registry has no pack \"{}\"", id),
                 "the id is the last part of its address on https://registry.comfy.org"};
}

// "1.21, 1.20, 1.19 and 31 more", newest first as the registry gives them.
std::string name_versions(const json& versions) {
    std::vector<std::string> names;
    for (const auto& version : versions)
        if (version.is_object() && !is_withdrawn(version))
            names.push_back(text_at(version, "version"));
    if (names.empty()) return "none";
    return list_first(names, versions_to_name);
}

RegistryVersion find_version(const Registry& registry, const std::string& id,
                             const std::string& path, const std::string& version) {
    const auto found = registry.get(path + "/versions/" + percent_encode(version));
    if (found && found->content.is_object())
        return read_version(id, found->content, found->from_internet);
    const auto versions = registry.get(path + "/versions");
    if (!versions) throw no_such_pack(id);
    throw Error{ErrorKind::not_found,
                fmt::format("the Comfy registry has no version {} of {}", version, id),
                "it has: " + name_versions(versions->content)};
}

}  // namespace

RegistryVersion find_in_registry(const std::string& id, const std::string& version,
                                 http::Client& http, const Mirrors& mirrors,
                                 const http::RetryPolicy& retry, std::stop_token stop) {
    const Registry registry{http, mirrors, retry, std::move(stop)};
    const auto path = "/nodes/" + percent_encode(id);
    if (!version.empty()) return find_version(registry, id, path, version);
    const auto answer = registry.get(path);
    if (!answer || !answer->content.is_object()) throw no_such_pack(id);
    const json& pack = answer->content;
    const auto latest = pack.find("latest_version");
    const auto number = latest == pack.end() ? std::string() : text_at(*latest, "version");
    if (number.empty())
        throw Error{ErrorKind::not_found,
                    fmt::format("the Comfy registry has no version of {} to install", id),
                    "name a version, or take the pack by git"};
    if (text_at(*latest, "downloadUrl").empty()) return find_version(registry, id, path, number);
    auto read = read_version(id, *latest, answer->from_internet);
    if (text_at(pack, "status") == "NodeStatusBanned" && read.verdict.empty())
        read.verdict = fmt::format("{} is banned by the Comfy registry", id);
    return read;
}

void refuse_by_verdict(const std::string& id, const RegistryVersion& found,
                       const std::vector<std::string>& trust) {
    const auto pack = "registry:" + id;
    const auto version = fmt::format("{}@{}", pack, found.version);
    const bool trusted = std::ranges::any_of(
        trust, [&](const std::string& entry) { return entry == pack || entry == version; });
    if (found.verdict.empty() || trusted) return;
    throw Error{ErrorKind::integrity, found.verdict,
                fmt::format("choose another version, or take the pack by git; list {} in `trust` "
                            "if you trust it all the same",
                            version)};
}

std::vector<RegistryVersion> list_registry_versions(const std::string& id, http::Client& http,
                                                    const Mirrors& mirrors,
                                                    const http::RetryPolicy& retry,
                                                    std::stop_token stop) {
    const Registry registry{http, mirrors, retry, std::move(stop)};
    const auto listed = registry.get("/nodes/" + percent_encode(id) + "/versions");
    if (!listed) throw no_such_pack(id);
    std::vector<RegistryVersion> versions;
    for (const auto& version : listed->content) {
        if (!version.is_object() || is_withdrawn(version)) continue;
        auto read = describe_version(id, version);
        if (!read.version.empty()) versions.push_back(std::move(read));
    }
    return versions;
}

}  // namespace podctl::comfy
