#include "support/proxies.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/url.hpp"

#include "support/relay.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

namespace podctl::test {
namespace {

std::string read_bytes(RawConnection& client, std::size_t size) {
    std::string bytes(size, '\0');
    return ::recv(client.fd(), bytes.data(), size, MSG_WAITALL) == static_cast<ssize_t>(size)
               ? bytes
               : std::string{};
}

// The URL's authority with its port filled in.
std::string place_of(const std::string& absolute) {
    const auto url = parse_url(absolute);
    return url ? url->origin().substr(url->scheme.size() + 3) : absolute;
}

}  // namespace

std::vector<std::string> AskedOf::all() const {
    const std::scoped_lock lock(mutex_);
    return all_;
}

void AskedOf::add(std::string what) {
    const std::scoped_lock lock(mutex_);
    all_.push_back(std::move(what));
}

ForwardProxy::ForwardProxy(Internet internet, std::string login)
    : internet_(std::move(internet)),
      login_(std::move(login)),
      server_([this](RawConnection& it) { serve(it); }) {}

std::string ForwardProxy::url(const std::string& login) const {
    return login.empty() ? server_.url() : "http://" + login + "@" + server_.url().substr(7);
}

void ForwardProxy::serve(RawConnection& client) {
    std::string head = client.read_head();
    const auto words = split(std::string_view(head).substr(0, head.find('\r')), ' ');
    if (words.size() != 3) return;
    asked_.add(words[0] + " " + words[1]);
    if (!login_.empty() && head.find("Basic " + base64(login_)) == std::string::npos) {
        client.send(
            "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n"
            "Proxy-Authenticate: Basic realm=\"proxy\"\r\nConnection: close\r\n\r\n");
        return;
    }
    const bool tunnel = words[0] == "CONNECT";
    const auto place = internet_.find(tunnel ? words[1] : place_of(words[1]));
    if (place == internet_.end()) {
        client.send("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return;
    }
    const LoopbackConnection server{place->second};
    // One request a connection, so that each is seen here.
    if (tunnel)
        client.send("HTTP/1.1 200 Connection established\r\n\r\n");
    else
        RawConnection{server.fd()}.send(
            head.insert(head.find("\r\n") + 2, "Connection: close\r\n"));
    relay(client.fd(), server.fd());
}

SocksProxy::SocksProxy(Internet internet)
    : internet_(std::move(internet)), server_([this](RawConnection& it) { serve(it); }) {}

std::string SocksProxy::url(const std::string& scheme) const {
    return scheme + server_.url().substr(4);
}

void SocksProxy::serve(RawConnection& client) {
    const std::string greeting = read_bytes(client, 2);
    if (greeting.size() != 2) return;
    read_bytes(client, static_cast<unsigned char>(greeting[1]));
    client.send({"\5\0", 2});
    const std::string request = read_bytes(client, 4);
    if (request.size() != 4) return;
    std::string host;
    if (request[3] == 3) {
        host = read_bytes(client, static_cast<unsigned char>(read_bytes(client, 1).at(0)));
    } else {
        for (const char byte : read_bytes(client, 4))
            host += fmt::format("{}{}", host.empty() ? "" : ".", static_cast<unsigned char>(byte));
    }
    const std::string port = read_bytes(client, 2);
    if (port.size() != 2) return;
    const auto number =
        static_cast<unsigned char>(port[0]) << 8 | static_cast<unsigned char>(port[1]);
    const std::string place = fmt::format("{}:{}", host, number);
    asked_.add(place);
    const auto known = internet_.find(place);
    const bool here = known != internet_.end();
    client.send({here ? "\5\0\0\1\0\0\0\0\0\0" : "\5\4\0\1\0\0\0\0\0\0", 10});
    if (!here) return;
    const LoopbackConnection server{known->second};
    relay(client.fd(), server.fd());
}

}  // namespace podctl::test
