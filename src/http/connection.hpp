#pragma once

#include "podctl/http/http.hpp"

#include <chrono>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace podctl::http {

// Bytes to and from an origin, behind TLS and proxies: Client::connect() opens it. One thread
// at a time.
class Connection {
public:
    struct State;
    explicit Connection(std::unique_ptr<State> state);
    ~Connection();

    // How many bytes came; 0: none within `wait`. Throws Error{network} once the other side has
    // ended it, Error{interrupted}.
    std::size_t receive(std::span<char> into, std::chrono::milliseconds wait, std::stop_token stop);
    // All of them. Throws Error{network}, also when they do not go within `wait`.
    void send(std::string_view bytes, std::chrono::milliseconds wait);

private:
    std::unique_ptr<State> state_;
};

// Client::connect(); `options` must outlive it. `bundle`: the certificates to trust; empty:
// libcurl's own.
std::unique_ptr<Connection> open_connection(const Url& url, const Options& options,
                                            const std::string& bundle,
                                            std::chrono::milliseconds timeout,
                                            const std::stop_token& stop);

}  // namespace podctl::http
