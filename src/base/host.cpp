#include "podctl/base/host.hpp"

#include "podctl/base/names.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace podctl {
namespace {

// RFC 1035 §2.3.4.
constexpr std::size_t longest_host = 253, longest_label = 63;

bool is_host_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

// Of an IPv6 address in brackets; parse_url() has read the address itself.
bool is_address_character(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == ':' || c == '.';
}

bool has_good_labels(std::string_view host) {
    if (host.ends_with('.')) host.remove_suffix(1);
    if (host.size() > longest_host) return false;
    return std::ranges::all_of(split(host, '.'), [](const std::string& label) {
        return !label.empty() && label.size() <= longest_label;
    });
}

bool is_good_userinfo(const std::string& userinfo) {
    const auto is_visible = [](char c) { return c > ' ' && c < 127; };
    const std::string decoded = percent_decode(userinfo);
    return std::ranges::all_of(userinfo, is_visible) &&
           std::ranges::none_of(decoded, [](char c) { return (c >= 0 && c < ' ') || c == 127; });
}

// Blocks of RFC 6890 that are nobody's on the internet.
bool is_internal(std::uint32_t address) {
    struct Block {
        std::uint32_t first;
        int bits;
    };
    constexpr Block blocks[] = {
        {0x00000000, 8},   // 0.0.0.0/8
        {0x0A000000, 8},   // 10.0.0.0/8
        {0x64400000, 10},  // 100.64.0.0/10
        {0x7F000000, 8},   // 127.0.0.0/8
        {0xA9FE0000, 16},  // 169.254.0.0/16
        {0xAC100000, 12},  // 172.16.0.0/12
        {0xC0000000, 24},  // 192.0.0.0/24
        {0xC0A80000, 16},  // 192.168.0.0/16
        {0xE0000000, 3},   // 224.0.0.0/4 and 240.0.0.0/4
    };
    return std::ranges::any_of(blocks, [&](const Block& block) {
        return address >> (32 - block.bits) == block.first >> (32 - block.bits);
    });
}

std::uint32_t four_bytes(const in6_addr& address, std::size_t from) {
    std::uint32_t value = 0;
    std::memcpy(&value, &address.s6_addr[from], sizeof value);
    return ntohl(value);
}

bool is_internal(const in6_addr& address) {
    const auto& bytes = address.s6_addr;
    if (IN6_IS_ADDR_UNSPECIFIED(&address) || IN6_IS_ADDR_LOOPBACK(&address) ||
        IN6_IS_ADDR_LINKLOCAL(&address) || IN6_IS_ADDR_SITELOCAL(&address) ||
        IN6_IS_ADDR_MULTICAST(&address) || (bytes[0] & 0xFE) == 0xFC)
        return true;
    const bool first_twelve_are_zero =
        std::all_of(bytes, bytes + 12, [](std::uint8_t byte) { return byte == 0; });
    if (IN6_IS_ADDR_V4MAPPED(&address) || first_twelve_are_zero)
        return is_internal(four_bytes(address, 12));
    if (bytes[0] == 0x20 && bytes[1] == 0x02) return is_internal(four_bytes(address, 2));  // 6to4
    // 64:ff9b::/96 (RFC 6052) and 64:ff9b:1::/48, which is for local use (RFC 8215).
    constexpr std::uint8_t nat64[] = {0x00, 0x64, 0xFF, 0x9B};
    if (std::equal(std::begin(nat64), std::end(nat64), bytes))
        return bytes[5] == 1 || is_internal(four_bytes(address, 12));
    return false;
}

}  // namespace

std::string host_fault(const Url& url) {
    const std::string& host = url.host;
    if (host.empty()) return "it names no host";
    if (!is_good_userinfo(url.userinfo))
        return "its user name or password has a character that must be percent-encoded";
    if (host.starts_with('[')) {
        const bool fine = host.ends_with(']') &&
                          std::all_of(host.begin() + 1, host.end() - 1, is_address_character);
        return fine ? "" : "its IPv6 address cannot be asked (a zone, perhaps)";
    }
    if (std::ranges::any_of(host, [](char c) { return static_cast<unsigned char>(c) > 127; }))
        return "its host has letters beyond ASCII: write the host in its ASCII form (xn--…)";
    if (!std::ranges::all_of(host, is_host_character))
        return "its host has a character that no host has";
    return has_good_labels(host) ? "" : "its host has a part that is empty or too long";
}

bool is_internal_address(const sockaddr& address) {
    if (address.sa_family == AF_INET) {
        sockaddr_in in4{};
        std::memcpy(&in4, &address, sizeof in4);
        return is_internal(ntohl(in4.sin_addr.s_addr));
    }
    if (address.sa_family == AF_INET6) {
        sockaddr_in6 in6{};
        std::memcpy(&in6, &address, sizeof in6);
        return is_internal(in6.sin6_addr);
    }
    return true;
}

bool is_internal_address(std::string_view text) {
    const std::string address{text.substr(0, text.find('%'))};
    in_addr in4{};
    if (::inet_pton(AF_INET, address.c_str(), &in4) == 1) return is_internal(ntohl(in4.s_addr));
    in6_addr in6{};
    return ::inet_pton(AF_INET6, address.c_str(), &in6) == 1 && is_internal(in6);
}

bool names_internal_address(const Url& url) {
    std::string_view host = url.host;
    if (host.starts_with('[') && host.ends_with(']'))
        return is_internal_address(host.substr(1, host.size() - 2));
    if (host.ends_with('.')) host.remove_suffix(1);
    if (host == "localhost" || host.ends_with(".localhost")) return true;
    // Decimal, octal and hexadecimal numbers, one to four of them, as browsers and libcurl do.
    in_addr in4{};
    return ::inet_aton(std::string(host).c_str(), &in4) != 0 && is_internal(ntohl(in4.s_addr));
}

}  // namespace podctl
