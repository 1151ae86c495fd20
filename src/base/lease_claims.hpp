#pragma once

#include "podctl/base/lease.hpp"

#include "lease_files.hpp"

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace podctl {

// The claims that one caller makes on one lease.
class LeaseClaims {
public:
    // Makes the folder. Throws Error{io}, as all here.
    LeaseClaims(const std::filesystem::path& folder, std::string name, const Lease::Timing& timing);

    LeaseSight look() const { return files_.look(); }
    // Claims the generation after what was seen, and judged to be nobody's. nullptr: somebody else
    // was there first.
    std::unique_ptr<Lease> claim(const LeaseSight& judged);

private:
    bool create(std::uint64_t generation, const std::string& text);
    void remove_all_before(std::uint64_t generation, const LeaseGenerations& known) const;

    const LeaseFiles files_;
    const Lease::Timing timing_;
    std::optional<std::chrono::steady_clock::time_point> refused_since_;
};

}  // namespace podctl
