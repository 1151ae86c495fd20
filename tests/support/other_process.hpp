#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <utility>

namespace podctl::test {

// Another process, which tells what it has found.
class OtherProcess {
public:
    template <class Work>
    explicit OtherProcess(Work work) {
        std::array<int, 2> ends{};
        EXPECT_EQ(::pipe(ends.data()), 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            try {
                work(ends[1]);
                ::_exit(0);
            } catch (...) {
                ::_exit(1);
            }
        }
        ::close(ends[1]);
        told_ = ends[0];
    }
    ~OtherProcess() {
        kill();
        ::close(told_);
    }
    OtherProcess(const OtherProcess&) = delete;
    OtherProcess& operator=(const OtherProcess&) = delete;

    template <class Value>
    static void tell(int fd, const Value& value) {
        if (::write(fd, &value, sizeof value) != sizeof value) ::_exit(2);
    }
    template <class Value>
    Value hear() const {
        Value value{};
        EXPECT_EQ(::read(told_, &value, sizeof value), static_cast<ssize_t>(sizeof value));
        return value;
    }

    pid_t pid() const { return pid_; }
    void stop() const {
        ::kill(pid_, SIGSTOP);
        ::waitpid(pid_, nullptr, WUNTRACED);
    }
    void go_on() const { ::kill(pid_, SIGCONT); }
    int wait() {
        int status = 0;
        ::waitpid(std::exchange(pid_, 0), &status, 0);
        return status;
    }
    void kill() {
        if (pid_ == 0) return;  // kill(0) is for the own group
        ::kill(pid_, SIGKILL);
        wait();
    }

private:
    pid_t pid_ = 0;
    int told_ = -1;
};

}  // namespace podctl::test
