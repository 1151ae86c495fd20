#pragma once

#include "podctl/base/fd.hpp"
#include "podctl/base/lease.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>

namespace podctl::download {

// Keeps the podctl of other machines off a partial file that they see too: there flock(2) may
// succeed on two machines at once. Used by one thread. Its files, "<partial>.lease.<number>", go
// with it.
class PartialLease {
public:
    // As long as a volume may be away without its pod being dead.
    static constexpr Lease::Timing usual{.heartbeat = std::chrono::milliseconds{2'000},
                                         .patience = std::chrono::milliseconds{15'000}};

    // Waits while it cannot be told whether somebody else who holds it lives. Throws Error{locked}
    // as soon as he is seen to, Error{io}, Error{interrupted} once a stop is requested.
    PartialLease(const std::filesystem::path& partial, const Lease::Timing& timing,
                 const std::stop_token& stop);

    // Both throw Error{locked} when another podctl has had it meanwhile. One that was lost only
    // because the volume was away is had again.
    void check();    // by what is known
    void confirm();  // by a fresh look. Throws Error{io} besides

private:
    void regain();

    const std::filesystem::path partial_;
    const Lease::Timing timing_;
    std::unique_ptr<Lease> lease_;  // nullptr: another one has had it
};

enum class SeenBy { this_machine, others_too };

// Keeps every other podctl off the partial file that is open as `fd`: with a lock on it, or, where
// other machines see it too, with the lease that it returns. Throws as PartialLease does.
std::unique_ptr<PartialLease> hold_partial(const Fd& fd, const std::filesystem::path& partial,
                                           SeenBy seen_by, const std::stop_token& stop);

// Removes what is left of a lease whose run died.
void remove_partial_lease(const std::filesystem::path& partial);

}  // namespace podctl::download
