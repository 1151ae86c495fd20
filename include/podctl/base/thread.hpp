#pragma once

#include "podctl/base/error.hpp"

#include <cstddef>
#include <exception>
#include <functional>
#include <stop_token>
#include <thread>
#include <utility>

namespace podctl {

// The only way in which the house starts a thread: an exception that left its function would end
// the process, and with it a whole pod. `work(stop_token)` runs on the new thread; what it throws,
// whatever it is, goes to `on_failure(exception_ptr)` there, which hands it on to whoever waits.
// What that throws in turn is dropped. Both must be callable until the thread has ended. Throws
// std::system_error where no thread can be had. tests/house/threads_test.cpp holds the house to it.
template <class Work, class OnFailure>
std::jthread start_thread(Work work, OnFailure on_failure) {
    return std::jthread{[work = std::move(work), on_failure = std::move(on_failure)](
                            const std::stop_token& stop) mutable noexcept {
        try {
            work(stop);
        } catch (...) {
            try {
                on_failure(std::current_exception());
            } catch (...) {
            }
        }
    }};
}

// Calls work(0) to work(count - 1), each on a thread of its own (the first on the caller's), and
// returns when all have ended. Throws what the first that failed has thrown.
void on_threads(std::size_t count, const std::function<void(std::size_t)>& work);

// From now on the calling thread, and those that it starts, have the processor and the disks only
// when nobody else wants them (nice 19, ioprio_set(2) idle). Where that is refused nothing changes.
void give_way_to_others();

// What an exception that was caught elsewhere tells: as_error(), for a thread's failure.
Error as_error(const std::exception_ptr& caught);

}  // namespace podctl
