#include "probe.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/stop.hpp"
#include "podctl/base/thread.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace podctl::serve {

namespace {

using std::chrono::milliseconds;

// Quick at first, for services that are there at once; then a load that nobody notices.
constexpr milliseconds first_interval{50};
constexpr milliseconds longest_interval{500};
// A server that is busy with its own start may be slow to answer.
constexpr milliseconds http_timeout{5'000};
constexpr milliseconds connect_timeout{1'000};

struct FreeAddresses {
    void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

std::string in_url(const std::string& address) {
    return address.find(':') == address.npos ? address : "[" + address + "]";
}

// 0, or the errno of the connection.
int connect_to(const addrinfo& address) {
    const Fd socket{::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!socket) return errno;
    if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    const Awaited connected{.fd = socket.get(), .until = Awaited::Until::writable};
    if (!wait_until_ready(connected, std::chrono::steady_clock::now() + connect_timeout, {}))
        return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
    return error;
}

}  // namespace

ReadinessProbe::ReadinessProbe(Readiness wanted, http::Client& http, const WakeUp& wake)
    : wanted_{std::move(wanted)}, http_{http} {
    const auto place = fmt::format("{}:{}", in_url(wanted_.address), wanted_.port);
    endpoint_ = wanted_.http_path.empty()
                    ? place
                    : fmt::format("http://{}{}{}", place,
                                  wanted_.http_path.starts_with('/') ? "" : "/", wanted_.http_path);
    last_answer_ = endpoint_ + " did not answer";
    thread_ = start_thread([this, &wake](const std::stop_token& stop) { run(stop, wake); },
                           [this](const std::exception_ptr& failure) {
                               note(fmt::format("{}: {}", endpoint_, as_error(failure).message()));
                           });
}

std::string ReadinessProbe::last_answer() const {
    const std::scoped_lock lock(mutex_);
    return last_answer_;
}

void ReadinessProbe::note(std::string answer) {
    const std::scoped_lock lock(mutex_);
    last_answer_ = std::move(answer);
}

void ReadinessProbe::run(const std::stop_token& stop, const WakeUp& wake) {
    auto interval = first_interval;
    while (!stop.stop_requested()) {
        if (answers(stop)) {
            ready_ = true;
            wake.wake();
            return;
        }
        wait_for(interval, stop);
        interval = std::min(interval * 3 / 2, longest_interval);
    }
}

bool ReadinessProbe::answers(const std::stop_token& stop) {
    // Whatever a service answers, and whatever lacks here (memory, also for the note), it is asked
    // again, and the pod's other services go on.
    try {
        try {
            return wanted_.http_path.empty() ? accepts_connection() : answers_http(stop);
        } catch (const std::exception& caught) {
            note(fmt::format("{}: {}", endpoint_, as_error(caught).message()));
        }
    } catch (const std::exception&) {
    }
    return false;
}

// The status decides, so the body, which may be a stream without an end, is not waited for.
bool ReadinessProbe::answers_http(const std::stop_token& stop) {
    int status = 0;
    const http::Request request{.url = endpoint_,
                                .timeout = http_timeout,
                                .redirects = http::Request::Redirects::report,
                                .is_try = true};
    const http::Client::Sink sink{.on_headers =
                                      [&](const http::Response& response) {
                                          status = response.status;
                                          return false;
                                      },
                                  .on_body = [](const char*, std::size_t) {}};
    try {
        http_.stream(request, sink, stop);
    } catch (const std::exception&) {
        if (status == 0) throw;
    }
    note(fmt::format("GET {} answered {}", endpoint_, status));
    return status >= 200 && status <= 399;
}

bool ReadinessProbe::accepts_connection() {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* list = nullptr;
    const auto port = std::to_string(wanted_.port);
    if (const int error = ::getaddrinfo(wanted_.address.c_str(), port.c_str(), &hints, &list)) {
        note(fmt::format("{}: {}", endpoint_, ::gai_strerror(error)));
        return false;
    }
    const Addresses addresses{list};
    for (const auto* address = addresses.get(); address != nullptr; address = address->ai_next) {
        const int error = connect_to(*address);
        if (error == 0) return true;
        note(fmt::format("{}: {}", endpoint_, std::strerror(error)));
    }
    return false;
}

}  // namespace podctl::serve
