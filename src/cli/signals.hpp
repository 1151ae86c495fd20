#pragma once

#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/wait.hpp"

#include <atomic>
#include <stop_token>
#include <thread>

namespace podctl::cli {

// SIGINT, SIGTERM and SIGHUP, blocked in every thread and read by one of its own: the first asks
// for a stop, a second kills the children at once. Construct it before any other thread.
class StopSignals {
public:
    StopSignals();
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    std::stop_token token() const { return stop_.get_token(); }
    // The first signal; 0: none came.
    int signal() const { return signal_; }

private:
    void listen(const std::stop_token& end);

    std::stop_source stop_;
    std::atomic<int> signal_ = 0;
    Fd signals_;
    WakeUp wake_{"cannot wait for signals"};
    std::jthread thread_;
};

// The exit code of an action that the signals may end: its own, or 128+N.
template <class Action>
int exit_code_of(Action action, const StopSignals& signals) {
    try {
        return action();
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::interrupted) throw;
        return 128 + signals.signal();
    }
}

}  // namespace podctl::cli
