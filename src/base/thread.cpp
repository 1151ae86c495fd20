#include "podctl/base/thread.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <mutex>
#include <vector>

namespace podctl {

void on_threads(std::size_t count, const std::function<void(std::size_t)>& work) {
    std::mutex mutex;
    std::exception_ptr failure;
    const auto keep = [&](std::exception_ptr caught) {
        const std::scoped_lock lock{mutex};
        if (!failure) failure = std::move(caught);
    };
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 1; i < count; ++i)
            threads.push_back(start_thread([&work, i](const std::stop_token&) { work(i); }, keep));
        try {
            work(0);
        } catch (...) {
            keep(std::current_exception());
        }
    }
    if (failure) std::rethrow_exception(failure);
}

void give_way_to_others() {
    // Linux has priorities for each thread, whatever POSIX says: nice(7), ioprio_set(2). glibc has
    // no wrapper for the second, nor its constants.
    constexpr int process = 1, idle = 3, class_shift = 13;
    const auto thread = static_cast<id_t>(::syscall(SYS_gettid));
    ::setpriority(PRIO_PROCESS, thread, 19);
    ::syscall(SYS_ioprio_set, process, 0, idle << class_shift);
}

Error as_error(const std::exception_ptr& caught) {
    try {
        std::rethrow_exception(caught);
    } catch (const std::exception& known) {
        return as_error(known);
    } catch (...) {
        return Error{ErrorKind::internal, "unexpected: something that is no exception was thrown",
                     "this is a fault of podctl: please report it"};
    }
}

}  // namespace podctl
