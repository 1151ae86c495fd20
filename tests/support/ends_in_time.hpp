#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <future>

namespace podctl::test {

// What `action` returns or throws. Where it waits at `pipe` for a writer, the test fails, and the
// pipe is opened for it so that it ends.
template <class Action>
auto ends_in_time(const std::filesystem::path& pipe, Action action) {
    auto running = std::async(std::launch::async, std::move(action));
    if (running.wait_for(std::chrono::seconds(20)) == std::future_status::timeout) {
        ADD_FAILURE() << "waits at " << pipe;
        while (running.wait_for(std::chrono::milliseconds(10)) == std::future_status::timeout)
            if (const int fd = ::open(pipe.c_str(), O_RDWR | O_NONBLOCK); fd >= 0) ::close(fd);
    }
    return running.get();
}

}  // namespace podctl::test
