#include "lease_claims.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "lease_keeper.hpp"
#include "lease_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace podctl {

namespace {

using Clock = std::chrono::steady_clock;

// For so long a client of sshfs shows what it has listed before.
constexpr std::chrono::seconds longest_refusal{30};

// Numbers are never used again but after the end of one that leaves no file. So whoever judged a
// holder, and was suspended before it made the next generation, finds here that much has happened.
bool is_the_next(const LeaseGenerations& now, std::uint64_t judged, std::uint64_t claimed) {
    if (now.highest() != claimed) return false;
    const auto before = now.own.size() < 2 ? 0 : now.own[now.own.size() - 2];
    return before == judged;
}

}  // namespace

LeaseClaims::LeaseClaims(const std::filesystem::path& folder, std::string name,
                         const Lease::Timing& timing)
    : files_{folder, std::move(name)}, timing_{timing} {
    create_folders(folder);
}

std::unique_ptr<Lease> LeaseClaims::claim(const LeaseSight& judged) {
    Lease::Keeper::Claim claim{.files = files_,
                               .generation = judged.generations.next(),
                               .identity = new_lease_identity(),
                               .begun = BootClock::now()};
    const auto generation = claim.generation;
    if (!create(generation, lease_line(LeaseState::held, 0) + claim.identity)) return nullptr;
    try {
        const auto now = files_.list();
        if (is_the_next(now, judged.generations.highest(), generation)) {
            auto keeper = std::make_unique<Lease::Keeper>(std::move(claim), timing_);
            remove_all_before(generation, now);
            return std::unique_ptr<Lease>{new Lease{std::move(keeper)}};
        }
    } catch (...) {
        files_.remove(generation);
        throw;
    }
    files_.remove(generation);  // nobody has had it
    return nullptr;
}

// False: somebody else was there first.
bool LeaseClaims::create(std::uint64_t generation, const std::string& text) {
    const auto created = files_.create(generation, text);
    if (created != LeaseFiles::Created::refused) return created == LeaseFiles::Created::yes;
    const auto now = Clock::now();
    if (!refused_since_) refused_since_ = now;
    if (now - *refused_since_ > std::min<Clock::duration>(timing_.patience, longest_refusal))
        throw system_error(fmt::format("cannot create generation {} of a lease", generation),
                           EPERM);
    return false;
}

void LeaseClaims::remove_all_before(std::uint64_t generation, const LeaseGenerations& known) const {
    for (const auto* numbers : {&known.own, &known.others})
        for (const auto older : *numbers)
            if (older < generation) files_.remove(older);
}

}  // namespace podctl
