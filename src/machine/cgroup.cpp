#include "cgroup.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

namespace podctl::machine {

namespace fs = std::filesystem;

namespace {

// nullopt for "max", "-1" and files that are not there.
std::optional<std::uint64_t> number(std::string_view text) {
    text = trim(text);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<std::uint64_t> number_in(const fs::path& file) {
    const auto content = read_file_if_exists(file);
    if (!content) return std::nullopt;
    return number(*content);
}

template <class Value>
void lower(std::optional<Value>& limit, std::optional<Value> other) {
    if (other && (!limit || *other < *limit)) limit = other;
}

void add_quota(CgroupLimits& limits, std::optional<std::uint64_t> quota,
               std::optional<std::uint64_t> period) {
    if (!quota || !period || *quota == 0 || *period == 0) return;
    lower(limits.cpus, std::optional{static_cast<double>(*quota) / static_cast<double>(*period)});
}

void add_v2(CgroupLimits& limits, const fs::path& group) {
    lower(limits.memory, number_in(group / "memory.max"));
    const auto cpu = read_file_if_exists(group / "cpu.max");  // "200000 100000" or "max 100000"
    if (!cpu) return;
    const auto fields = split(trim(*cpu), ' ');
    if (fields.size() == 2) add_quota(limits, number(fields[0]), number(fields[1]));
}

void add_v1(CgroupLimits& limits, const fs::path& group, std::string_view controller) {
    // No limit is told as a huge number, which the machine's own memory undercuts.
    if (controller == "memory") lower(limits.memory, number_in(group / "memory.limit_in_bytes"));
    if (controller == "cpu")
        add_quota(limits, number_in(group / "cpu.cfs_quota_us"),
                  number_in(group / "cpu.cfs_period_us"));
}

// Calls `add` for the group and each one above it: a parent's limit binds its children. A container
// without a cgroup namespace sees the host's path, of which only the mount's root is there.
template <class Add>
void for_group_and_above(const fs::path& mount, std::string_view group, Add add) {
    fs::path relative = fs::path{group}.relative_path().lexically_normal();
    // A process that was moved out of its namespace's root is told as "/../…".
    if (!relative.empty() && *relative.begin() == "..") relative.clear();
    for (; !relative.empty() && relative != "."; relative = relative.parent_path())
        add(mount / relative);
    add(mount);
}

}  // namespace

CgroupLimits cgroup_limits(const fs::path& membership, const fs::path& mount) {
    CgroupLimits limits;
    for (const std::string& line : split(read_file_if_exists(membership).value_or(""), '\n')) {
        // "4:cpu,cpuacct:/group", for v2 "0::/group"; the group may hold colons.
        const auto first = line.find(':');
        const auto second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        const std::string group = line.substr(second + 1);
        if (controllers.empty()) {
            for_group_and_above(mount, group, [&](const fs::path& at) { add_v2(limits, at); });
            continue;
        }
        for (const std::string& controller : split(controllers, ','))
            if (controller == "cpu" || controller == "memory")
                for_group_and_above(mount / controller, group,
                                    [&](const fs::path& at) { add_v1(limits, at, controller); });
    }
    return limits;
}

}  // namespace podctl::machine
