#pragma once

#include "podctl/http/http.hpp"

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>

namespace podctl::http {

struct RetryPolicy {
    int attempts = 5;
    std::chrono::milliseconds first_wait{1'000};  // doubled each time, with jitter
    std::chrono::milliseconds longest_wait{60'000};
    // Called before each wait, with the attempt that comes after it; the first try was 1.
    std::function<void(int attempt, std::chrono::milliseconds wait, const std::string& reason)>
        on_retry = {};
};

// Sends until the answer is none that can pass (408, 425, 429, 5xx), or the attempts are used up;
// then what came last, be it an answer or Error{network}. Waits as long as the server asks
// (Retry-After), but gives up when that is more than a quarter of an hour. Throws
// Error{interrupted}.
Response send_with_retry(Client& http, const Request& request, const RetryPolicy& policy,
                         std::stop_token stop);

}  // namespace podctl::http
