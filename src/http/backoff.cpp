#include "podctl/http/backoff.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/stop.hpp"

#include <algorithm>

namespace podctl::http {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds longest_asked_wait = std::chrono::minutes{15};

}  // namespace

Backoff::Backoff(const RetryPolicy& policy, std::stop_token stop)
    : policy_(policy), stop_(std::move(stop)) {}

std::optional<milliseconds> Backoff::next(const std::string& reason,
                                          std::optional<milliseconds> at_least) {
    if (attempt_ >= policy_.attempts || at_least > longest_asked_wait) return std::nullopt;
    const int doublings = std::min(attempt_ - 1, 16);
    const auto base = std::min(policy_.first_wait * (1 << doublings), policy_.longest_wait);
    // Jitter, so that pods that failed together do not come back together.
    const double spread = std::uniform_real_distribution{0.75, 1.25}(random_);
    auto wait = std::chrono::duration_cast<milliseconds>(base * spread);
    if (at_least) wait = std::max(wait, *at_least);
    ++attempt_;
    if (policy_.on_retry) policy_.on_retry(attempt_, wait, reason);
    return wait;
}

bool Backoff::wait(const std::string& reason, std::optional<milliseconds> at_least) {
    const auto time = next(reason, at_least);
    if (time && !wait_for(*time, stop_)) throw Error{ErrorKind::interrupted, "stopped"};
    return time.has_value();
}

bool can_pass(int status) {
    return status == 408 || status == 425 || status == 429 || status >= 500;
}

}  // namespace podctl::http
