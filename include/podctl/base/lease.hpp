#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace podctl {

// Who holds a lease, as its file says.
struct LeaseHolder {
    std::string host;  // empty: its file does not say it (yet)
    pid_t pid = 0;     // there; 0: its file does not say it
    std::chrono::system_clock::time_point since;
    bool is_alive = false;  // it has written while it was watched
};

// What one podctl at a time has, also where several machines share a volume and flock(2) succeeds
// on each of them, or is kept for a day by a machine that has died.
//
// Beside each other stand the files NAME.1, NAME.2, …: the generations. The highest is the
// holder's; who makes the next one, with O_EXCL, is the next holder. A holder rewrites its file at
// each heartbeat. Whoever waits judges by this content alone, on a clock of its own: no other
// machine's clock and no time stamp counts. The highest generation is never reused, so of those who
// find the same holder silent one gets the lease, and the silent one finds out. Where a process of
// this machine is gone, or the lease was released, nobody waits.
//
// Files of other users and whatever else has such a name are passed over: nobody but this user can
// keep this user out.
class Lease {
public:
    struct Timing {
        std::chrono::milliseconds heartbeat{5'000};
        // How long a holder is silent until it is taken over: longer than a volume is away without
        // its machine being dead, and than NFS clients keep what they know (60 s). A holder that
        // could not write for three quarters of it counts as lost.
        std::chrono::milliseconds patience{60'000};
    };

    // Called at each look while somebody else holds it, every second or more often: who, and how
    // long this call has waited. What it throws ends the waiting.
    using OnWait = std::function<void(const LeaseHolder&, std::chrono::milliseconds waited)>;

    // Makes the folder, and blocks until the lease is had. Throws Error{interrupted} once a stop is
    // requested, Error{io}; but while somebody is waited for, a volume may be away for as long as
    // the patience.
    static std::unique_ptr<Lease> acquire(const std::filesystem::path& folder,
                                          const std::string& name, const Timing& timing,
                                          const OnWait& on_wait, const std::stop_token& stop);
    // Does not wait. nullptr: somebody holds it, or may. Throws Error{io}.
    static std::unique_ptr<Lease> try_acquire(const std::filesystem::path& folder,
                                              const std::string& name, const Timing& timing);
    // Releases it: the next one has it at once.
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    // A fresh look, of one listing of the folder: to be asked before what has been done is made to
    // count. Throws Error{io} when it cannot be told.
    bool is_ours() const;
    // A stop is requested once it is known to be lost, also while the volume hangs.
    std::stop_token lost() const;
    // Rises with each holder.
    std::uint64_t generation() const;
    // Its end leaves no file, for names that are not used for ever. The next holder's generation is
    // 1.
    void remove_at_end();

private:
    class Keeper;
    explicit Lease(std::unique_ptr<Keeper> keeper);
    friend class LeaseClaims;

    std::unique_ptr<Keeper> keeper_;
};

// Who holds it now. nullopt: nobody, or a process of this machine that is gone. Throws Error{io}.
std::optional<LeaseHolder> lease_holder(const std::filesystem::path& folder,
                                        const std::string& name);

// Removes its files, unless somebody holds it, or may. Throws Error{io}.
void remove_lease(const std::filesystem::path& folder, const std::string& name);

}  // namespace podctl
