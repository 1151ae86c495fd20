#include "support/started.hpp"

#include "podctl/base/fd.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#ifndef SYS_pidfd_open
#define SYS_pidfd_send_signal 424  // the same numbers on every architecture
#define SYS_pidfd_open 434
#endif

namespace podctl::test {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* mark_name = "STARTED_BY_TEST";

// As it stands in the environment of what was started; empty until the program's tests begin.
std::string& mark() {
    static std::string value;
    return value;
}

bool has_mark(pid_t pid) {
    try {
        const auto environment = read_file(fs::path{"/proc"} / std::to_string(pid) / "environ");
        const auto variables = split(environment, '\0');
        return std::ranges::find(variables, mark()) != variables.end();
    } catch (const std::exception&) {
        return false;  // it is gone, or somebody else's
    }
}

std::vector<pid_t> processes() {
    std::vector<pid_t> found;
    std::error_code failed;
    for (fs::directory_iterator at{"/proc", failed}, end; !failed && at != end;
         at.increment(failed)) {
        const auto name = at->path().filename().string();
        pid_t pid = 0;
        std::from_chars(name.data(), name.data() + name.size(), pid);
        if (pid > 1 && pid != ::getpid()) found.push_back(pid);
    }
    return found;
}

// True: it had the mark. The descriptor names the process before that is looked at, since the
// number may become another one's; kernels before 5.3 have none.
bool end(pid_t pid) {
    const Fd process{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
    if (!has_mark(pid)) return false;
    if (!process) {
        ::kill(pid, SIGKILL);
        return true;
    }
    ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
    pollfd ended{process.get(), POLLIN, 0};
    ::poll(&ended, 1, 10'000);
    return true;
}

// Waits, beside the test program, until that has gone in whatever way, and ends what it has left.
void watch_over_this_program() {
    int life[2];  // the program holds one end for as long as it lives
    if (::pipe2(life, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    if (const pid_t between = ::fork(); between != 0) {
        ::close(life[0]);
        ::waitpid(between, nullptr, 0);
        return;
    }
    // A session of its own, so that what ends the program does not end its watcher.
    if (::setsid() < 0 || ::fork() != 0) ::_exit(0);
    ::close(life[1]);
    const int nothing = ::open("/dev/null", O_RDWR);
    for (const int standard : {0, 1, 2})
        ::dup2(nothing, standard);  // whoever reads the program's output waits for its end
    char byte = 0;
    while (::read(life[0], &byte, 1) != 0) {
    }
    end_what_was_started();
    ::_exit(0);
}

class Ender : public testing::EmptyTestEventListener {
    void OnTestProgramStart(const testing::UnitTest&) override {
        const auto value = std::to_string(::getpid()) + "." +
                           std::to_string(Clock::now().time_since_epoch().count());
        mark() = std::string{mark_name} + "=" + value;
        watch_over_this_program();
        ::setenv(mark_name, value.c_str(), 1);
    }
    void OnTestEnd(const testing::TestInfo&) override { end_what_was_started(); }
};

// Before main, so that no test program has to remember it.
[[maybe_unused]] const bool is_listening = [] {
    testing::UnitTest::GetInstance()->listeners().Append(new Ender);
    return true;
}();

}  // namespace

void end_what_was_started() {
    const auto until = Clock::now() + std::chrono::seconds{30};  // one may hang in the kernel
    // Again, since who is ended last may have started another one meanwhile.
    for (bool found = !mark().empty(); found && Clock::now() < until;) {
        found = false;
        for (const pid_t pid : processes())
            found = end(pid) || found;
    }
}

}  // namespace podctl::test
