#pragma once

#include "podctl/http/retry.hpp"

#include <chrono>
#include <optional>
#include <random>
#include <stop_token>
#include <string>

namespace podctl::http {

// Counts attempts and waits between them.
class Backoff {
public:
    Backoff(const RetryPolicy& policy, std::stop_token stop);

    // How long to wait before another attempt, at least as long as the server asked; tells
    // RetryPolicy::on_retry. nullopt: the attempts are used up, or the server asks for more than a
    // quarter of an hour.
    std::optional<std::chrono::milliseconds> next(
        const std::string& reason, std::optional<std::chrono::milliseconds> at_least = {});
    // As next(), and waits. False: nullopt. Throws Error{interrupted}.
    bool wait(const std::string& reason, std::optional<std::chrono::milliseconds> at_least = {});
    // Something was achieved: the attempts count anew.
    void start_anew() { attempt_ = 1; }

private:
    const RetryPolicy& policy_;
    std::stop_token stop_;
    int attempt_ = 1;
    std::minstd_rand random_{std::random_device{}()};
};

// A status that can be another one when asked again later: 408, 425, 429 and 5xx.
bool can_pass(int status);

}  // namespace podctl::http
