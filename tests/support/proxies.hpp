#pragma once

#include "support/raw_server.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace podctl::test {

// Which port of 127.0.0.1 stands for "HOST:PORT": the only place where a test has an internet.
using Internet = std::map<std::string, std::uint16_t>;

// What a proxy was asked, in order.
class AskedOf {
public:
    std::vector<std::string> all() const;
    void add(std::string what);

private:
    mutable std::mutex mutex_;
    std::vector<std::string> all_;
};

// A forward proxy: CONNECT, and requests in the absolute form, one a connection. Whom it does not
// know it answers 502; with a login ("USER:PASSWORD"), 407 to whoever does not give it.
class ForwardProxy {
public:
    explicit ForwardProxy(Internet internet, std::string login = {});
    std::string url(const std::string& login = {}) const;
    // "CONNECT hub.example:443", "GET http://hub.example/x".
    std::vector<std::string> asked() const { return asked_.all(); }

private:
    void serve(RawConnection& client);

    const Internet internet_;
    const std::string login_;
    AskedOf asked_;
    RawServer server_;
};

// A SOCKS5 proxy (RFC 1928) without a login; names and IPv4 addresses.
class SocksProxy {
public:
    explicit SocksProxy(Internet internet);
    // With the scheme: socks5 has the client resolve names, socks5h has not.
    std::string url(const std::string& scheme) const;
    std::vector<std::string> asked() const { return asked_.all(); }  // "hub.example:443"

private:
    void serve(RawConnection& client);

    const Internet internet_;
    AskedOf asked_;
    RawServer server_;
};

}  // namespace podctl::test
