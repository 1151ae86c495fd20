#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace podctl::machine {

// The strictest limits of the control groups (v1 and v2) that this process is in.
struct CgroupLimits {
    std::optional<double> cpus;           // a quota: 1.5 is one and a half
    std::optional<std::uint64_t> memory;  // bytes
};

// `membership` is /proc/self/cgroup, `mount` /sys/fs/cgroup.
CgroupLimits cgroup_limits(const std::filesystem::path& membership,
                           const std::filesystem::path& mount);

// How many bytes more the strictest of these groups lets its processes have, where the pages of
// files that they keep in memory count as free: the kernel drops those first. nullopt: none of them
// has a limit. The arguments are those of cgroup_limits.
std::optional<std::uint64_t> cgroup_memory_left(const std::filesystem::path& membership,
                                                const std::filesystem::path& mount);

}  // namespace podctl::machine
