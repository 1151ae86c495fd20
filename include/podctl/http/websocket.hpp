#pragma once

#include "podctl/http/http.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace podctl::http {

// The client's end of a WebSocket (RFC 6455), for what a server tells. One thread at a time.
class WebSocket {
public:
    // Connects and shakes hands. `url` is the http or https one of the same place; tokens, TLS and
    // proxies are as for every request of `http`. Throws Error{network} when the other side does
    // not speak the protocol, Error{interrupted}.
    WebSocket(Client& http, const std::string& url, std::chrono::milliseconds timeout,
              std::stop_token stop = {});
    // Says goodbye, without waiting for an answer.
    ~WebSocket();
    WebSocket(const WebSocket&) = delete;
    WebSocket& operator=(const WebSocket&) = delete;

    // The next text message; binary ones are passed over. nullopt: none came within `wait`.
    // Throws Error{network} once the connection has ended, Error{interrupted}.
    std::optional<std::string> receive(std::chrono::milliseconds wait, std::stop_token stop = {});

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace podctl::http
