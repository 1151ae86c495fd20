#include "podctl/http/retry.hpp"

#include "podctl/base/error.hpp"
#include "podctl/http/backoff.hpp"
#include "podctl/http/http_message.hpp"

#include <fmt/core.h>

namespace podctl::http {

Response send_with_retry(Client& http, const Request& request, const RetryPolicy& policy,
                         std::stop_token stop) {
    Backoff backoff(policy, stop);
    while (true) {
        try {
            auto response = http.send(request, stop);
            if (!can_pass(response.status)) return response;
            const auto asked = retry_after(response, std::chrono::system_clock::now());
            if (!backoff.wait(fmt::format("HTTP {}", response.status), asked)) return response;
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::network || !backoff.wait(error.message())) throw;
        }
    }
}

}  // namespace podctl::http
