#pragma once

#include "podctl/base/fd.hpp"
#include "podctl/serve/control.hpp"

#include "control_address.hpp"
#include "pod_fixture.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <atomic>

namespace podctl::serve {

using namespace std::chrono_literals;

// A pod with a control socket in dir_, as `up` has one.
class Control : public PodTest {
protected:
    Control() { options_.control = &control_; }
    ~Control() override {
        stop_.request_stop();
        if (end_.valid()) end_.wait();
    }

    void serve() {
        server_ = std::make_unique<ControlServer>(dir_.path(), control_, [this] {
            ++ends_;
            stop_.request_stop();
        });
    }
    std::optional<PodStatus> status() const {
        return find_pod_status(dir_.path(), options_.pids, {});
    }
    std::optional<std::vector<RunningService>> restart(const std::string& service) const {
        return restart_services(dir_.path(), service, 60s, {});
    }
    // Until all are ready.
    void start_and_wait(const std::vector<ServiceSpec>& services) {
        on_ready_ = [this] { control_.emit(event::Launched{}); };
        control_.emit(event::Launching{});
        start(services);
        events_.wait_for<event::Launched>();
    }

    // Once it fits: what an event tells is in the status a moment later.
    PodStatus status_when(const std::function<bool(const PodStatus&)>& fits) const {
        const auto until = std::chrono::steady_clock::now() + 60s;
        while (std::chrono::steady_clock::now() < until) {
            auto pod = status();
            if (pod && fits(*pod)) return *pod;
        }
        throw std::runtime_error("that status did not come within a minute");
    }
    pid_t last_started() const { return events_.all<event::ServiceStarted>().back().pid; }
    // Arguments of a stand-in that differs from run to run.
    std::vector<std::string> by_run(const std::string& option, const std::string& run) const {
        return {"--count", (dir_ / "runs").string(), option, run};
    }

    // A client that does as it likes.
    Fd connect() const {
        Fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        const Fd folder = open_folder(dir_.path());
        const auto address = in_folder(folder.get());
        EXPECT_EQ(::connect(socket.get(), address.generic(), address.size), 0);
        return socket;
    }
    static void send(const Fd& socket, std::string_view text) {
        ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
    }
    // Everything until the server closes.
    static std::string read_all(const Fd& socket) {
        std::string all;
        char block[4096];
        while (true) {
            pollfd ready{socket.get(), POLLIN, 0};
            if (::poll(&ready, 1, 60'000) <= 0) throw std::runtime_error("never closed");
            const auto got = ::recv(socket.get(), block, sizeof block, 0);
            if (got <= 0) return all;
            all.append(block, static_cast<std::size_t>(got));
        }
    }

    PodControl control_{events_, stop_.get_token()};
    std::atomic<int> ends_ = 0;
    std::unique_ptr<ControlServer> server_;
};

}  // namespace podctl::serve
