#pragma once

#include "podctl/base/fd.hpp"

#include <chrono>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

// Waiting for descriptors (poll(2)), for a time, and for other threads.
namespace podctl {

// A descriptor that any thread can make readable, for one that waits for others besides.
class WakeUp {
public:
    // `task` is what cannot be done without it, for the error. Throws Error{io}.
    explicit WakeUp(const std::string& task);

    int fd() const { return event_.get(); }
    // Readable from now on. Neither blocks nor throws.
    void wake() const;
    // Readable no more, until somebody wakes again.
    void clear() const;

private:
    Fd event_;
};

struct Awaited {
    int fd = -1;  // -1: it is passed over
    enum class Until { readable, writable, either } until = Until::readable;
    bool is_ready = false;  // or closed, or in error: the next call on it tells
};

using Deadline = std::optional<std::chrono::steady_clock::time_point>;  // nullopt: for ever

// Until one of them is ready or the deadline has come, or earlier: whoever goes on waiting asks
// again. Returns whether one is ready. Throws Error{io}.
bool wait_for_any(std::span<Awaited> awaited, Deadline deadline = {});

// Until it is ready (true) or the deadline has come (false). Throws Error{interrupted}, Error{io}.
bool wait_until_ready(Awaited awaited, Deadline deadline, const std::stop_token& stop);

}  // namespace podctl
