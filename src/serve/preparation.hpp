#pragma once

#include "podctl/base/process.hpp"
#include "podctl/base/wait.hpp"

#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

namespace podctl::serve {

// What is done before a service's start, on a thread of its own. The destructor requests a stop of
// it, and waits for that.
class Preparation {
public:
    using Work = std::function<Command(const std::stop_token& stop)>;

    // `done` is woken at the end.
    Preparation(const Work& work, const WakeUp& done);

    bool is_done() const;
    // Once it is done: the command of the start. Throws what the work has thrown, as
    // an Error.
    Command take();

private:
    mutable std::mutex mutex_;
    std::optional<Command> command_;  // under mutex_, as failure_
    std::exception_ptr failure_;
    std::jthread thread_;
};

}  // namespace podctl::serve
