#include "partial_lease.hpp"

#include "podctl/base/error.hpp"

#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>

namespace podctl::download {
namespace {

std::string lease_name(const std::filesystem::path& partial) {
    return partial.filename().string() + ".lease";
}

std::unique_ptr<Lease> acquire(const std::filesystem::path& partial, const Lease::Timing& timing,
                               const std::stop_token& stop) {
    const auto refuse_living = [&](const LeaseHolder& holder, std::chrono::milliseconds) {
        if (!holder.is_alive) return;
        const auto who =
            holder.pid == 0 ? "" : fmt::format(" (pid {} on {})", holder.pid, holder.host);
        throw Error{ErrorKind::locked,
                    fmt::format("{}: another podctl{} is at work there", partial.string(), who),
                    "wait for it, or stop it"};
    };
    return Lease::acquire(partial.parent_path(), lease_name(partial), timing, refuse_living, stop);
}

}  // namespace

PartialLease::PartialLease(const std::filesystem::path& partial, const Lease::Timing& timing,
                           const std::stop_token& stop)
    : partial_{partial}, timing_{timing}, lease_{acquire(partial, timing, stop)} {
    lease_->remove_at_end();
}

void PartialLease::check() {
    if (!lease_ || lease_->lost().stop_requested()) regain();
}

void PartialLease::confirm() {
    if (!lease_ || !lease_->is_ours()) regain();
}

// The very next generation: so nobody has written to the partial file since.
void PartialLease::regain() {
    if (lease_) {
        const auto next = lease_->generation() + 1;
        lease_.reset();
        lease_ = Lease::try_acquire(partial_.parent_path(), lease_name(partial_), timing_);
        if (lease_) lease_->remove_at_end();
        if (lease_ && lease_->generation() == next) return;
        lease_.reset();
    }
    throw Error{ErrorKind::locked,
                fmt::format("{}: another podctl has taken it over", partial_.string()),
                "this one stood still for too long; let the other one finish"};
}

std::unique_ptr<PartialLease> hold_partial(const Fd& fd, const std::filesystem::path& partial,
                                           SeenBy seen_by, const std::stop_token& stop) {
    // A network volume knows no locks, or a machine's own alone, or keeps those of a machine that
    // has died, for a day: what one says there is not asked.
    if (seen_by == SeenBy::others_too)
        return std::make_unique<PartialLease>(partial, PartialLease::usual, stop);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        throw Error{ErrorKind::locked,
                    fmt::format("{}: another podctl is fetching this file", partial.string()),
                    "wait for it, or stop it"};
    return nullptr;
}

void remove_partial_lease(const std::filesystem::path& partial) {
    remove_lease(partial.parent_path(), lease_name(partial));
}

}  // namespace podctl::download
