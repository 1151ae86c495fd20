#include "podctl/base/wait.hpp"

#include "podctl/base/error.hpp"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

namespace podctl {
namespace {

using std::chrono::milliseconds;

// As poll() takes it: an int, and -1 for ever.
int milliseconds_until(Deadline deadline) {
    if (!deadline) return -1;
    const auto left = std::chrono::ceil<milliseconds>(*deadline - std::chrono::steady_clock::now());
    constexpr milliseconds one_hour{3'600'000};
    return static_cast<int>(std::clamp(left, milliseconds{0}, one_hour).count());
}

short events_of(Awaited::Until until) {
    switch (until) {
        case Awaited::Until::readable:
            return POLLIN;
        case Awaited::Until::writable:
            return POLLOUT;
        case Awaited::Until::either:
            return POLLIN | POLLOUT;
    }
    return 0;
}

}  // namespace

WakeUp::WakeUp(const std::string& task) : event_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
    if (!event_) throw system_error(task, errno);
}

void WakeUp::wake() const {
    // Fails only where the counter is full, and then it is readable anyhow.
    ::eventfd_write(event_.get(), 1);
}

void WakeUp::clear() const {
    eventfd_t ignored = 0;
    ::eventfd_read(event_.get(), &ignored);
}

bool wait_for_any(std::span<Awaited> awaited, Deadline deadline) {
    std::vector<pollfd> fds;
    fds.reserve(awaited.size());
    for (auto& one : awaited) {
        one.is_ready = false;
        fds.push_back({.fd = one.fd, .events = events_of(one.until), .revents = 0});
    }
    const int ready = ::poll(fds.data(), fds.size(), milliseconds_until(deadline));
    if (ready < 0 && errno != EINTR) throw system_error("cannot wait", errno);
    if (ready <= 0) return false;
    for (std::size_t i = 0; i < fds.size(); ++i)
        awaited[i].is_ready = fds[i].revents != 0;
    return true;
}

bool wait_until_ready(Awaited awaited, Deadline deadline, const std::stop_token& stop) {
    const WakeUp stopped{"cannot wait for a stop"};
    const std::stop_callback on_stop{stop, [&] { stopped.wake(); }};
    while (true) {
        std::array both{awaited, Awaited{.fd = stopped.fd()}};
        wait_for_any(both, deadline);
        if (stop.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
        if (both[0].is_ready) return true;
        if (deadline && std::chrono::steady_clock::now() >= *deadline) return false;
    }
}

}  // namespace podctl
