#pragma once

#include "podctl/http/http.hpp"

#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <stop_token>
#include <string>

namespace podctl::http {

// An answer whose body is asked for rather than handed over, for whoever has the loop himself. Some
// MiB of it wait here at most; the rest waits in the network. One thread at a time.
class BodyReader {
public:
    // Sends the request, and waits until the headers have come. Throws as Client::stream()
    // does.
    BodyReader(Client& http, Request request, std::stop_token stop);
    // Ends what has not ended.
    ~BodyReader();
    BodyReader(const BodyReader&) = delete;
    BodyReader& operator=(const BodyReader&) = delete;

    // The answer without its body.
    const Response& answer() const;
    // Waits for some bytes; 0: that was all. Throws Error{network} also when the body was cut
    // short, Error{interrupted} as soon as a stop is requested.
    std::size_t read(std::span<char> into);

private:
    struct State;
    // Until it is so, or the body has ended.
    template <class Condition>
    void wait_until(Condition is_due);

    Client& http_;
    std::stop_token stop_;
    std::shared_ptr<State> state_;
    Client::StreamId id_ = 0;
    std::string current_;  // what is being read, up to `taken_`
    std::size_t taken_ = 0;
    std::exception_ptr failure_;
};

}  // namespace podctl::http
