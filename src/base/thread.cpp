#include "podctl/base/thread.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace podctl {

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
