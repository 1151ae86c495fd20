#include "proxy.hpp"

#include "podctl/base/names.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace podctl::http {
namespace {

std::optional<Proxy> proxy_in(std::initializer_list<const char*> variables) {
    for (const char* name : variables)
        if (const char* value = std::getenv(name); value && *value) return Proxy{value, name};
    return std::nullopt;
}

struct Address {
    std::array<unsigned char, 16> bytes{};
    unsigned bits = 0;  // 32 or 128
};

std::optional<Address> address_of(std::string_view text) {
    if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
    const std::string address{text};
    Address result;
    for (const auto& [family, bits] : {std::pair{AF_INET, 32u}, std::pair{AF_INET6, 128u}}) {
        result.bits = bits;
        if (::inet_pton(family, address.c_str(), result.bytes.data()) == 1) return result;
    }
    return std::nullopt;
}

// "10.0.0.0/8", "[fd00::]/8", or an address alone.
bool is_in_network(const Address& address, std::string_view network) {
    const auto slash = network.find('/');
    const auto base = address_of(network.substr(0, slash));
    if (!base || base->bits != address.bits) return false;
    unsigned bits = base->bits;
    if (slash != network.npos) {
        const auto digits = network.substr(slash + 1);
        const auto* end = digits.data() + digits.size();
        const auto [stop, error] = std::from_chars(digits.data(), end, bits);
        if (error != std::errc{} || stop != end || bits > base->bits) return false;
    }
    const auto* mine = address.bytes.data();
    if (!std::equal(mine, mine + bits / 8, base->bytes.data())) return false;
    const unsigned rest = 8 - bits % 8;
    return rest == 8 || mine[bits / 8] >> rest == base->bytes[bits / 8] >> rest;
}

std::string_view without_end(std::string_view name) {
    return name.ends_with('.') ? name.substr(0, name.size() - 1) : name;
}

bool is_in_domain(std::string_view host, std::string_view domain) {
    if (domain.starts_with('.')) domain.remove_prefix(1);
    const std::string name = to_lower(without_end(domain));
    if (name.empty() || !host.ends_with(name)) return false;
    return host.size() == name.size() || host[host.size() - name.size() - 1] == '.';
}

bool is_excepted(std::string_view host, std::string list) {
    for (char& c : list)
        if (c == ',' || c == '\t') c = ' ';
    const auto address = address_of(host);
    return std::ranges::any_of(split(list, ' '), [&](const std::string& word) {
        if (word == "*") return true;
        return address ? is_in_network(*address, word) : is_in_domain(without_end(host), word);
    });
}

}  // namespace

std::optional<Proxy> proxy_for(const Url& url) {
    if (is_loopback(url)) return std::nullopt;
    auto proxy = url.scheme == "https"
                     ? proxy_in({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
                     : proxy_in({"http_proxy", "all_proxy", "ALL_PROXY"});
    const auto exceptions = proxy_in({"no_proxy", "NO_PROXY"});
    if (proxy && exceptions && is_excepted(url.host, exceptions->url)) return std::nullopt;
    return proxy;
}

std::string shown(const Proxy& proxy) {
    const std::string_view place{proxy.url};
    const auto at = place.rfind('@');
    const auto scheme = place.find("://");
    const auto from = at != place.npos ? at + 1 : scheme != place.npos ? scheme + 3 : 0;
    const auto host = place.substr(from, place.find_first_of("/?#", from) - from);
    return fmt::format("{} of ${}", host, proxy.variable);
}

bool has_login(const Proxy& proxy) {
    return proxy.url.find('@') != std::string::npos;
}

}  // namespace podctl::http
