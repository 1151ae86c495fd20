#include "location.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/host.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/shorten.hpp"
#include "podctl/base/url.hpp"
#include "podctl/git/git.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>

namespace podctl::git {
namespace {

struct ScpLike {
    std::string_view user, host, path;
};

// "[user@]host:path": as in git, a slash before the colon makes it a path.
std::optional<ScpLike> parse_scp_like(std::string_view text) {
    if (text.find("://") != text.npos) return std::nullopt;
    ScpLike result;
    std::string_view rest = text;
    if (const auto at = rest.find('@'); at != rest.npos && at < rest.find_first_of(":/")) {
        result.user = rest.substr(0, at);
        rest.remove_prefix(at + 1);
    }
    // An IPv6 address stands in brackets.
    const auto after = rest.starts_with('[') ? rest.find(']') : 0;
    if (after == rest.npos) return std::nullopt;
    const auto colon = rest.find(':', after);
    if (colon == rest.npos || colon == 0 || rest.find('/') < colon) return std::nullopt;
    result.host = rest.substr(0, colon);
    result.path = rest.substr(colon + 1);
    return result;
}

std::string_view scheme_of(std::string_view url) {
    const auto at = url.find("://");
    return at == url.npos ? std::string_view{} : url.substr(0, at);
}

std::optional<std::uint16_t> default_port(Transport transport, std::string_view scheme) {
    switch (transport) {
        case Transport::http:
            return scheme == "https" ? 443 : 80;
        case Transport::ssh:
            return 22;
        case Transport::git:
            return 9418;
        case Transport::local:
        case Transport::unknown:
            return std::nullopt;
    }
    return std::nullopt;
}

std::string trimmed_path(std::string_view path) {
    while (path.ends_with('/'))
        path.remove_suffix(1);
    if (path.ends_with(".git") && !path.ends_with("/.git")) path.remove_suffix(4);
    while (path.ends_with('/'))
        path.remove_suffix(1);
    while (path.starts_with('/'))
        path.remove_prefix(1);
    std::string result;
    for (const char c : path)
        if (c != '/' || !result.ends_with('/')) result += c;
    return result;
}

// What two URLs of one repository have in common.
std::string identity(std::string_view text) {
    if (text.empty()) return {};
    const Transport transport = transport_of(text);
    if (transport == Transport::local) return "/" + trimmed_path(local_path(text));
    if (const auto scp = parse_scp_like(text))
        return to_lower(scp->host) + "/" + trimmed_path(scp->path);
    const auto url = parse_url(text);
    if (!url) return std::string{text};
    std::string host = url->host;
    if (url->port && url->port != default_port(transport, url->scheme))
        host += ":" + std::to_string(*url->port);
    return host + "/" + trimmed_path(percent_decode(url->path));
}

}  // namespace

Transport transport_of(std::string_view url) {
    const std::string scheme = to_lower(scheme_of(url));
    if (scheme == "http" || scheme == "https") return Transport::http;
    if (scheme == "ssh" || scheme == "git+ssh" || scheme == "ssh+git") return Transport::ssh;
    if (scheme == "git") return Transport::git;
    if (scheme == "file") return Transport::local;
    if (!scheme.empty()) return Transport::unknown;
    return parse_scp_like(url) ? Transport::ssh : Transport::local;
}

bool can_shallow(std::string_view url) {
    const Transport transport = transport_of(url);
    return transport == Transport::http || transport == Transport::ssh ||
           transport == Transport::git;
}

std::string without_secrets(std::string_view url) {
    auto parts = parse_url(url);
    if (!parts) return std::string{url};
    // The user of an ssh URL is a part of the address; over http it may be the token itself.
    const auto colon = parts->userinfo.find(':');
    parts->userinfo =
        transport_of(url) == Transport::ssh ? parts->userinfo.substr(0, colon) : std::string{};
    if (!parts->query.empty()) parts->query = "…";
    return parts->to_string();
}

std::string without_login(const std::string& url) {
    auto parts = transport_of(url) == Transport::http ? parse_url(url) : std::nullopt;
    if (!parts || parts->userinfo.empty()) return url;
    parts->userinfo.clear();
    return parts->to_string();
}

std::string https_form(std::string_view ssh_url) {
    if (transport_of(ssh_url) != Transport::ssh) return {};
    if (const auto scp = parse_scp_like(ssh_url)) {
        const bool rooted = scp->path.starts_with('/');
        return "https://" + to_lower(scp->host) + (rooted ? "" : "/") + std::string(scp->path);
    }
    const auto url = parse_url(ssh_url);
    return url ? "https://" + url->host + url->path : std::string{};
}

std::string resolve_submodule_url(std::string_view parent, std::string_view url) {
    if (!url.starts_with("./") && !url.starts_with("../") && url != "." && url != "..")
        return std::string{url};
    std::string base{parent};
    while (base.ends_with('/'))
        base.pop_back();
    // The root may not be eaten: "https://host", "host:" or "/".
    std::size_t floor = 0;
    if (const auto scheme = base.find("://"); scheme != base.npos) {
        const auto slash = base.find('/', scheme + 3);
        floor = slash == base.npos ? base.size() : slash;
    } else if (const auto scp = parse_scp_like(base)) {
        floor = static_cast<std::size_t>(scp->path.data() - base.data());
    }
    bool after_colon = false;
    while (url.starts_with(".")) {
        const auto slash = url.find('/');
        const std::string_view step = url.substr(0, slash);
        if (step != "." && step != "..") break;
        if (step == "..") {
            const auto cut = base.rfind('/');
            after_colon = (cut == base.npos || cut < floor);
            base.resize(after_colon ? floor : cut);
        }
        url.remove_prefix(slash == url.npos ? url.size() : slash + 1);
    }
    while (url.ends_with('/'))
        url.remove_suffix(1);
    if (url.empty()) return base;
    const bool joined = after_colon && base.ends_with(':');
    return base + (joined ? "" : "/") + std::string(url);
}

http::Request::Reach reach_from(const std::string& url) {
    using enum http::Request::Reach;
    if (transport_of(url) == Transport::local) return anywhere;
    const auto parts = parse_url(transport_of(url) == Transport::ssh ? https_form(url) : url);
    if (!parts) return internet;
    if (names_internal_address(*parts)) return anywhere;
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(parts->host.c_str(), nullptr, &wanted, &found) != 0) return internet;
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner{found, &::freeaddrinfo};
    for (const addrinfo* address = found; address != nullptr; address = address->ai_next)
        if (!is_internal_address(*address->ai_addr)) return internet;
    return anywhere;
}

void require_no_control(const std::string& url) {
    const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == 127; };
    // libgit2 decodes what it sends by ssh and git://.
    const Transport transport = transport_of(url);
    const bool is_decoded = transport == Transport::ssh || transport == Transport::git;
    if (std::ranges::none_of(is_decoded ? percent_decode(url) : url, is_control)) return;
    throw Error{
        ErrorKind::git,
        fmt::format("{}: has a control character in it", shorten_middle(without_secrets(url))),
        "check the repository's URL"};
}

std::string local_path(std::string_view url) {
    constexpr std::string_view scheme = "file://";
    if (to_lower(scheme_of(url)) == "file") {
        url.remove_prefix(scheme.size());
        constexpr std::string_view host = "localhost";
        if (url.starts_with(host) && url.substr(host.size()).starts_with('/'))
            url.remove_prefix(host.size());
        return percent_decode(url);
    }
    return std::filesystem::absolute(std::filesystem::path(url)).lexically_normal().string();
}

bool same_repository(std::string_view a, std::string_view b) {
    return identity(a) == identity(b);
}

std::map<std::string, std::string> child_environment(const Mirrors& mirrors) {
    std::map<std::string, std::string> environment{
        {"GIT_TERMINAL_PROMPT", "0"},
        // Both git and ssh would otherwise ask through the terminal; a helper that fails answers
        // them.
        {"SSH_ASKPASS", "false"},
        {"SSH_ASKPASS_REQUIRE", "force"},
    };
    std::vector<std::pair<std::string, std::string>> settings;
    bool local = false;
    for (const auto& [from, to] : mirrors.prefixes()) {
        settings.emplace_back("url." + to + ".insteadOf", from);
        local = local || transport_of(to) == Transport::local;
    }
    // git refuses submodules from the local disk unless told; a mirror there is the user's own
    // word.
    if (local) settings.emplace_back("protocol.file.allow", "always");
    if (settings.empty()) return environment;

    // Another program's settings stay: ours are numbered on from them.
    const char* counted = std::getenv("GIT_CONFIG_COUNT");
    std::size_t count = counted == nullptr ? 0 : std::strtoul(counted, nullptr, 10);
    for (const auto& [key, value] : settings) {
        environment["GIT_CONFIG_KEY_" + std::to_string(count)] = key;
        environment["GIT_CONFIG_VALUE_" + std::to_string(count)] = value;
        ++count;
    }
    environment["GIT_CONFIG_COUNT"] = std::to_string(count);
    return environment;
}

}  // namespace podctl::git
