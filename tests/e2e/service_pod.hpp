#pragma once

#include "podctl/base/file.hpp"

#include "pod.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sstream>

// The built binary with pods of stand-in services alone (tests/support/programs/service.cpp).
namespace podctl::e2e {

class ServicePodTest : public testing::Test {
protected:
    // Ends what a test has left running in the background.
    ~ServicePodTest() override { podctl({"down", "--root", root(), "--timeout", "0s"}); }

    // A line of `services`; `more` are further keys.
    static std::string service(const std::string& name, const std::vector<std::string>& arguments,
                               const std::string& more = "") {
        std::vector<std::string> command{PODCTL_STAND_IN_SERVICE};
        command.insert(command.end(), arguments.begin(), arguments.end());
        return fmt::format("  - {{name: {}, command: [\"{}\"]{}{}}}\n", name,
                           fmt::join(command, "\", \""), more.empty() ? "" : ", ", more);
    }
    static std::string listener(const std::string& name, std::vector<std::string> arguments = {},
                                const std::string& more = "") {
        const auto on = std::to_string(free_port());
        arguments.insert(arguments.end(), {"--port", on});
        return service(name, arguments,
                       "port: " + on + (more.empty() ? std::string{} : ", " + more));
    }
    void write_template(const std::string& services, const std::string& more = "") const {
        write_file_atomically(dir / "pod.yaml",
                              "apiVersion: podctl/v1\nname: pod\n" + more +
                                  (services.empty() ? std::string{} : "services:\n" + services));
    }

    static std::uint16_t free_port() {
        return test::HttpServer{[](const auto&) { return test::Response{}; }}.port();
    }
    Command command(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), PODCTL_BINARY);
        return {.argv = std::move(arguments), .working_directory = dir.path()};
    }
    Captured podctl(std::vector<std::string> arguments) const {
        return run_captured(command(std::move(arguments)), {});
    }
    // With --root.
    Captured on_pod(std::vector<std::string> arguments) const {
        arguments.insert(arguments.end(), {"--root", root()});
        return podctl(std::move(arguments));
    }
    std::vector<std::string> up(const std::vector<std::string>& more = {}) const {
        std::vector<std::string> arguments{"up", "pod.yaml", "--root", root(), "--output", "json"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return arguments;
    }
    Running start(const std::vector<std::string>& more = {}) const {
        return Running{command(up(more))};
    }
    static bool is_launched(const json& event) {
        return event.value("event", "") == "step.finished" && event.value("step", "") == "launch";
    }
    json status() const {
        return json::parse(on_pod({"status", "--output", "json"}).output, nullptr, false);
    }
    pid_t pid_in(const std::string& file) const { return std::stoi(read_file(dir / file)); }
    std::string root() const { return (dir / "root").string(); }

    test::TempDir dir;
};

// podctl as the first process of a PID namespace, as in a container.
class Pid1Test : public ServicePodTest {
protected:
    void SetUp() override {
        if (!find_program("unshare") || !run_captured(in_namespace({"true"}), {}).status.ok())
            GTEST_SKIP() << "no PID namespaces here";
    }
    Command in_namespace(std::vector<std::string> argv) const {
        argv.insert(argv.begin(), {"unshare", "--pid", "--fork", "--mount-proc"});
        return {.argv = std::move(argv), .working_directory = dir.path()};
    }
    Running start_as_pid_1(const std::vector<std::string>& more = {}) const {
        return Running{in_namespace(command(up(more)).argv)};
    }
    // Seen from this namespace.
    static std::vector<pid_t> children_of(pid_t parent) {
        std::vector<pid_t> found;
        const auto tasks = "/proc/" + std::to_string(parent) + "/task";
        for (const auto& task : std::filesystem::directory_iterator{tasks}) {
            // A thread may end meanwhile.
            std::istringstream children{read_file_if_exists(task.path() / "children").value_or("")};
            for (pid_t pid = 0; children >> pid;)
                found.push_back(pid);
        }
        return found;
    }
};

}  // namespace podctl::e2e
