#pragma once

#include "podctl/base/fd.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace podctl {

// What stands at the names of a lease's generations, from the lowest on.
struct LeaseGenerations {
    std::vector<std::uint64_t> own;     // this user's files with one name each: they count
    std::vector<std::uint64_t> others;  // all else

    std::uint64_t highest() const { return own.empty() ? 0 : own.back(); }  // 0: none
    // The first one after the highest at whose name nothing stands.
    std::uint64_t next() const;
};

struct LeaseSight {
    LeaseGenerations generations;
    // Of the highest. Empty: nothing is written there yet, or by others who must not be believed.
    // nullopt: it went while it was looked at, so that nothing can be said but by another look.
    std::optional<std::string> text;
};

// The files of a lease. Each call opens anew what it needs: an open descriptor on a network volume
// may show for ever what was there once, while open(2) asks the server.
class LeaseFiles {
public:
    LeaseFiles(std::filesystem::path folder, std::string name);

    // A folder that is not there has none. Throws Error{io}, as all here.
    LeaseGenerations list() const;
    LeaseSight look() const;

    enum class Created {
        yes,
        taken,   // somebody was there first
        refused  // or that, as sshfs says it (EPERM), or nothing can be made in the folder
    };
    Created create(std::uint64_t generation, std::string_view text) const;

    enum class Rewritten {
        yes,
        gone,    // nothing is there, or nothing that may be written
        another  // it is another claim's
    };
    // Writes the first line anew, in its place, if the second one is `identity`.
    Rewritten rewrite(std::uint64_t generation, std::string_view line,
                      std::string_view identity) const;

    // What cannot be removed stays.
    void remove(std::uint64_t generation) const;

private:
    std::filesystem::path path_of(std::uint64_t generation) const;
    // Invalid, with errno.
    Fd open_folder() const;
    Fd open_file(const Fd& folder, std::uint64_t generation, int flags) const;
    std::optional<std::string> read(std::uint64_t generation) const;

    const std::filesystem::path folder_;
    const std::string name_;
};

}  // namespace podctl
