#pragma once

#include "podctl/base/fd.hpp"

#include <sys/syscall.h>
#include <unistd.h>

// The C library has functions for these from glibc 2.36 on; the numbers are the same on every
// architecture.
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace podctl {

// Names a process for as long as it is held, whatever becomes of its pid. Close-on-exec by
// definition. Empty, with errno: there is no such process, or the kernel has none (Linux 5.3).
inline Fd open_pidfd(pid_t pid) {
    return Fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
}

// False, with errno: the process has ended, or may not be signalled.
inline bool send_signal(const Fd& pidfd, int signal) {
    return ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0;
}

}  // namespace podctl
