#pragma once

#include "podctl/machine/machine.hpp"

#include <filesystem>

namespace podctl::machine {

struct SystemSources {
    std::filesystem::path os_release = "/etc/os-release";
    std::filesystem::path meminfo = "/proc/meminfo";
    std::filesystem::path cgroup_membership = "/proc/self/cgroup";
    std::filesystem::path cgroup_mount = "/sys/fs/cgroup";
};

Machine inspect(const SystemSources& sources);
Bytes available_memory(const SystemSources& sources);

}  // namespace podctl::machine
