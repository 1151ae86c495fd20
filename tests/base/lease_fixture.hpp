#pragma once

#include "podctl/base/file.hpp"
#include "podctl/base/lease.hpp"

#include "lease_text.hpp"
#include "support/other_process.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

namespace podctl {

// A folder in which a lease "l" is held, waited for and lost.
class LeaseOf : public testing::Test {
protected:
    std::unique_ptr<Lease> acquire(const Lease::Timing& timing) const {
        return Lease::acquire(dir.path(), "l", timing, {}, {});
    }
    std::unique_ptr<Lease> try_acquire() const {
        return Lease::try_acquire(dir.path(), "l", endless);
    }
    std::set<std::string> files() const {
        std::set<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator{dir.path()})
            names.insert(entry.path().filename().string());
        return names;
    }

    // Of a machine that nothing is known of.
    static inline const std::string elsewhere =
        lease_line(LeaseState::held, 5) + "another-boot pid:[1] 1 1 1764000000 00 elsewhere\n";

    test::TempDir dir;
    // Nothing that is waited for comes in time.
    const Lease::Timing endless{.heartbeat = std::chrono::hours{1},
                                .patience = std::chrono::hours{24}};
    const Lease::Timing quick{.heartbeat = std::chrono::milliseconds{20},
                              .patience = std::chrono::milliseconds{800}};
};

}  // namespace podctl
