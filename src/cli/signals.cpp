#include "signals.hpp"

#include "podctl/base/children.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/thread.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>

namespace podctl::cli {
namespace {

sigset_t stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT})
        sigaddset(&set, signal);
    return set;
}

}  // namespace

StopSignals::StopSignals() {
    const sigset_t set = stop_signals();
    if (const int failed = ::pthread_sigmask(SIG_BLOCK, &set, nullptr)) {
        throw system_error("cannot block signals", failed);
    }
    signals_ = Fd{::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
    if (!signals_) throw system_error("cannot wait for signals", errno);
    thread_ = start_thread([this](const std::stop_token& end) { listen(end); },
                           // Without memory no signal can be told apart any more; that a stop was
                           // meant is sure enough.
                           [this](const std::exception_ptr&) { stop_.request_stop(); });
}

StopSignals::~StopSignals() {
    thread_.request_stop();
    wake_.wake();
}

void StopSignals::listen(const std::stop_token& end) {
    while (!end.stop_requested()) {
        std::array awaited{Awaited{.fd = signals_.get()}, Awaited{.fd = wake_.fd()}};
        wait_for_any(awaited);
        signalfd_siginfo info{};
        while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
            if (stop_.stop_requested()) {
                kill_children();
                continue;
            }
            signal_ = static_cast<int>(info.ssi_signo);
            stop_.request_stop();
        }
    }
}

}  // namespace podctl::cli
