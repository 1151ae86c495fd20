#pragma once

#include "podctl/base/wait.hpp"
#include "podctl/http/http.hpp"
#include "podctl/serve/serve.hpp"

#include <atomic>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

namespace podctl::serve {

// Asks a starting service again and again, on a thread of its own, until it answers. The destructor
// ends the thread.
class ReadinessProbe {
public:
    // `wake` is woken once the service is ready, and outlives the probe.
    ReadinessProbe(Readiness wanted, http::Client& http, const WakeUp& wake);

    bool ready() const { return ready_; }
    // What was asked for, and what came last: "GET http://…/ answered 503".
    std::string last_answer() const;

private:
    void run(const std::stop_token& stop, const WakeUp& wake);
    bool answers(const std::stop_token& stop);
    bool answers_http(const std::stop_token& stop);
    bool accepts_connection();
    void note(std::string answer);

    Readiness wanted_;
    std::string endpoint_;
    http::Client& http_;
    std::atomic<bool> ready_ = false;
    mutable std::mutex mutex_;
    std::string last_answer_;
    std::jthread thread_;  // last: it uses all of the above
};

}  // namespace podctl::serve
