#pragma once

#include "podctl/base/fd.hpp"
#include "podctl/base/process_stat.hpp"

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace podctl {

// A process that is no child of this one and may be signalled: it is of this user, and neither this
// process, nor one of its ancestors or of its process group, nor an init. That it is podctl's own,
// and no other of this user's, is for the caller to prove by what stat() tells.
//
// It is held by a pidfd that was opened before it was looked at, so that a signal reaches what was
// looked at or nobody, also when its number has become another process's. A kernel without pidfds
// (before Linux 5.3), or a sandbox that forbids them, leaves a window between the last look and
// kill(2), of some microseconds.
class OwnProcess {
public:
    // nullopt: there is none, it has ended, or it must not be signalled.
    static std::optional<OwnProcess> open(pid_t pid);
    // Another podctl of this user that announces that it works in this folder. That is its word,
    // and so it may be signalled by itself wherever it stands: in this process's group, as its
    // ancestor, or as an init.
    static std::optional<OwnProcess> find_announced(const std::filesystem::path& folder);

    pid_t pid() const { return pid_; }
    const ProcessStat& stat() const { return stat_; }  // as it was when it was opened
    bool runs() const;
    // One that has ended is fine. After SIGTERM comes SIGCONT: one that is stopped would not see
    // it.
    void signal(int signal) const;
    // False: it still runs when the time is over.
    bool wait_until(std::chrono::steady_clock::time_point deadline) const;

private:
    OwnProcess(pid_t pid, Fd process, const ProcessStat& stat, bool announced)
        : pid_{pid}, process_{std::move(process)}, stat_{stat}, announced_{announced} {}
    void send(int signal) const;

    pid_t pid_;
    Fd process_;  // invalid: there are no pidfds here
    ProcessStat stat_;
    bool announced_;
};

// Tells the other podctl of this user, for as long as it is held, that this one works in `folder`.
// Nothing in the folder tells it, so that nobody who may write there can take it away, and only
// processes of the same user are believed, so that nobody else can tell it. The kernel lets go of
// it when the process ends, however it ends. Where it cannot be had (no /proc, no memfd) it is
// silent.
class Announcement {
public:
    explicit Announcement(const std::filesystem::path& folder);

private:
    Fd file_;
};

// Those of one process group and session.
std::vector<OwnProcess> find_group(pid_t group, pid_t session);

struct MarkedProcess {
    OwnProcess process;
    std::string name;  // of its program, as proc(5) has it
};
// The processes that have the mark (child_mark) and have never left the session in which it was
// made: not what somebody started in a terminal that a service opened. Those of other users, whose
// word counts for nothing, and of other containers do not count.
std::vector<MarkedProcess> find_marked(const std::filesystem::path& folder);

}  // namespace podctl
