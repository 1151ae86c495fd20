#include "system.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process.hpp"
#include "podctl/machine/memory.hpp"

#include "cgroup.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <thread>
#include <vector>

namespace podctl::machine {

namespace fs = std::filesystem;

namespace {

// The value of a shell-like assignment: os-release(5) allows either quote and backslashes within.
std::string unquoted(std::string_view value) {
    value = trim(value);
    const bool is_quoted = value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
                           value.back() == value.front();
    if (is_quoted) value = value.substr(1, value.size() - 2);
    std::string result;
    for (std::size_t i = 0; i < value.size(); ++i) {
        if (value[i] == '\\' && i + 1 < value.size()) ++i;
        result += value[i];
    }
    return result;
}

void read_os_release(const fs::path& path, Machine& machine) {
    for (const std::string& line : split(read_file_if_exists(path).value_or(""), '\n')) {
        const std::string_view text{line};
        if (text.starts_with("ID=")) machine.os = unquoted(text.substr(3));
        if (text.starts_with("VERSION_ID=")) machine.os_version = unquoted(text.substr(11));
    }
}

// `field` as /proc/meminfo has it: "MemTotal:".
Bytes bytes_in_meminfo(const fs::path& meminfo, std::string_view field) {
    const std::string content = read_file_if_exists(meminfo).value_or("");
    const auto at = content.find(field);
    const auto digits =
        at == std::string::npos ? at : content.find_first_not_of(" \t", at + field.size());
    if (digits == std::string::npos) return {};
    const char* const begin = content.data() + digits;
    std::uint64_t kibibytes = 0;
    std::from_chars(begin, content.data() + content.size(), kibibytes);
    return {kibibytes * 1024};
}

unsigned allowed_cpus() {
    // Fails with EINVAL while the set is smaller than the kernel's own.
    for (std::size_t size = 1024; size <= 65'536; size *= 2) {
        std::vector<cpu_set_t> set(size / (8 * sizeof(cpu_set_t)));
        const std::size_t bytes = set.size() * sizeof(cpu_set_t);
        if (::sched_getaffinity(0, bytes, set.data()) == 0)
            return static_cast<unsigned>(CPU_COUNT_S(bytes, set.data()));
    }
    return std::thread::hardware_concurrency();
}

}  // namespace

Machine inspect(const SystemSources& sources) {
    Machine machine;
    machine.is_root = ::geteuid() == 0;
    read_os_release(sources.os_release, machine);
    machine.apt_get = find_program("apt-get");
    machine.cpus = std::max(1U, allowed_cpus());
    machine.memory = bytes_in_meminfo(sources.meminfo, "MemTotal:");
    const auto limits = cgroup_limits(sources.cgroup_membership, sources.cgroup_mount);
    if (limits.cpus && *limits.cpus < machine.cpus)
        machine.cpus = std::max(1U, static_cast<unsigned>(std::ceil(*limits.cpus)));
    if (limits.memory && *limits.memory < machine.memory.count) machine.memory = {*limits.memory};
    return machine;
}

Machine inspect() {
    return inspect(SystemSources{});
}

Bytes available_memory(const SystemSources& sources) {
    // Since Linux 3.14; without it nothing is known, which is what 0 says.
    const Bytes available = bytes_in_meminfo(sources.meminfo, "MemAvailable:");
    const auto left = cgroup_memory_left(sources.cgroup_membership, sources.cgroup_mount);
    return {left ? std::min(*left, available.count) : available.count};
}

Bytes available_memory() {
    return available_memory(SystemSources{});
}

std::shared_ptr<CacheRoom> room_in_page_cache() {
    return std::make_shared<CacheRoom>([] { return available_memory().count; });
}

bool has_accelerator() {
    // /dev/kfd is AMD's compute driver, /dev/dxg the GPU of Windows under WSL.
    for (const char* device : {"/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg"}) {
        std::error_code failed;
        if (fs::exists(device, failed)) return true;
    }
    return false;
}

}  // namespace podctl::machine
