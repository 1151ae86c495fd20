#pragma once

#include <compare>
#include <cstdint>

namespace podctl {

// Which file of which file system.
struct FileIdentity {
    std::uint64_t device = 0, inode = 0;

    friend auto operator<=>(const FileIdentity&, const FileIdentity&) = default;
};

}  // namespace podctl
