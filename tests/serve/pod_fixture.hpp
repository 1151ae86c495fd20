#pragma once

#include "podctl/base/file.hpp"
#include "podctl/serve/serve.hpp"

#include "support/recording_sink.hpp"
#include "support/temp_dir.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <filesystem>
#include <future>
#include <stdexcept>
#include <string>
#include <vector>

namespace podctl::serve {

// A port of loopback that nobody listens on.
inline std::uint16_t free_port() {
    const Fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket.get(), generic, size) != 0 ||
        ::getsockname(socket.get(), generic, &size) != 0)
        throw std::runtime_error("no free port");
    return ntohs(address.sin_port);
}

// Runs a pod of stand-in services on a thread of its own.
class PodTest : public ::testing::Test {
protected:
    ~PodTest() override { stop_.request_stop(); }

    // The stand-in with these arguments (name, value, …); see tests/support/programs/service.cpp.
    static ServiceSpec stand_in(const std::string& name, std::vector<std::string> arguments = {}) {
        ServiceSpec spec{.name = name, .command = {}, .after = {}, .ready = {}};
        spec.command.argv = std::move(arguments);
        spec.command.argv.insert(spec.command.argv.begin(), PODCTL_STAND_IN_SERVICE);
        return spec;
    }
    // As above, and listening on a port of its own.
    static ServiceSpec listener(const std::string& name, std::vector<std::string> arguments = {}) {
        const auto port = free_port();
        arguments.insert(arguments.end(), {"--port", std::to_string(port)});
        auto spec = stand_in(name, std::move(arguments));
        spec.ready.port = port;
        spec.ready.url = "http://127.0.0.1:" + std::to_string(port);
        return spec;
    }

    void start(std::vector<ServiceSpec> services) {
        end_ = std::async(std::launch::async, [this, services = std::move(services)]() mutable {
            return run_pod(std::move(services), options_, http_, events_, on_ready_,
                           stop_.get_token());
        });
    }
    PodEnd end() { return end_.get(); }
    PodEnd run(std::vector<ServiceSpec> services) {
        start(std::move(services));
        return end();
    }
    PodEnd stop() {
        stop_.request_stop();
        return end();
    }

    std::vector<std::string> started() const {
        std::vector<std::string> names;
        for (const auto& event : events_.all<event::ServiceStarted>())
            names.push_back(event.service);
        return names;
    }
    std::vector<std::string> exited() const {
        std::vector<std::string> names;
        for (const auto& event : events_.all<event::ServiceExited>())
            names.push_back(event.service);
        return names;
    }
    std::string log(const std::string& service) const {
        return read_file(dir_ / "logs" / (service + ".log"));
    }
    pid_t pid_in(const std::string& file) const { return std::stoi(read_file(dir_ / file)); }

    test::TempDir dir_;
    test::RecordingSink events_;
    PodOptions options_{.logs = dir_ / "logs",
                        .pids = dir_ / "pod.json",
                        .back_off = {.first = std::chrono::milliseconds(1),
                                     .longest = std::chrono::milliseconds(4)},
                        .grace = std::chrono::seconds(30)};
    std::function<void()> on_ready_;
    http::Client http_;
    std::stop_source stop_;
    std::future<PodEnd> end_;  // last: its destructor waits for the pod
};

}  // namespace podctl::serve
