#pragma once

#include "podctl/base/fd.hpp"
#include "podctl/base/own_process.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

namespace podctl::run {

// Who holds a lock, as the holder has written it.
struct LockHolder {
    std::string host = {};  // empty: of an earlier version
    int pid = 0;            // on that host; 0: it has written nothing yet
    std::chrono::system_clock::time_point since = {};
    bool for_life = false;  // until it ends, and not only until it has done something

    friend bool operator==(const LockHolder&, const LockHolder&) = default;
};
// "podctl (pid 12 on pod-a, since 12:03:11 UTC)".
std::string to_string(const LockHolder& holder);

// A file that one process at a time holds locked, with flock(2): the kernel lets go of it when the
// process ends, however it ends. Among the processes of one kernel, and where the file system
// carries flock to its server.
class FileLock {
public:
    enum class Until { released, its_end };  // for people, and for who waits
    // nullopt: somebody else holds it. The file is made, this user's alone; its folder has to be
    // there. Throws Error{io}.
    static std::optional<FileLock> try_lock(const std::filesystem::path& path,
                                            Until until = Until::released);

private:
    explicit FileLock(Fd fd) : fd_(std::move(fd)) {}

    Fd fd_;
};
// Whether somebody holds it, a podctl of an earlier version, too. Whoever asks this keeps it from
// others for a moment, but not from others who ask. Throws Error{io}.
bool is_file_locked(const std::filesystem::path& path);
// Who holds it now; nullopt: nobody, or a podctl of an earlier version. Throws Error{io}.
std::optional<LockHolder> holder_of_file_lock(const std::filesystem::path& path);
// Who has held it last, as the file says: for who has found it held.
LockHolder last_holder_of_file_lock(const std::filesystem::path& path);
// Whether that is a process of this machine, as far as its name tells.
bool is_on_this_host(const LockHolder& holder);

// Held by the one podctl that runs a pod.
//
// The file stands in the pod's own folder, and goes with it when somebody removes or renames that
// while a pod runs. So the one who runs the pod announces it outside of any disk, too.
class PodLock {
public:
    enum class For {
        pod,
        moment,  // for a look or an end: it is not announced, since nobody has to end it
    };
    // `path` is <the pod's own folder>/<file>; `root` is for people. Throws Error{locked} that
    // names the process that holds it, Error{io}.
    PodLock(const std::filesystem::path& path, const std::filesystem::path& root,
            For what = For::pod);

private:
    std::optional<FileLock> lock_;
    std::optional<Announcement> announcement_;
};

}  // namespace podctl::run
