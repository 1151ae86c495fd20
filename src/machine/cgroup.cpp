#include "cgroup.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"

#include <algorithm>
#include <charconv>
#include <initializer_list>
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

// The sum of these fields of a memory.stat ("inactive_file 4096" and so on).
std::uint64_t sum_of(const std::string& stat, std::initializer_list<std::string_view> fields) {
    std::uint64_t sum = 0;
    for (const std::string& line : split(stat, '\n')) {
        const auto words = split(line, ' ');
        if (words.size() == 2 && std::ranges::find(fields, words[0]) != fields.end())
            sum += number(words[1]).value_or(0);
    }
    return sum;
}

// Nothing for a group without a limit, or that does not tell what it uses.
void lower_to_left(std::optional<std::uint64_t>& left, std::optional<std::uint64_t> limit,
                   std::optional<std::uint64_t> used, std::uint64_t droppable) {
    if (!limit || !used) return;
    const std::uint64_t kept = *used - std::min(droppable, *used);
    lower(left, std::optional{*limit - std::min(kept, *limit)});
}

void lower_to_left_v2(std::optional<std::uint64_t>& left, const fs::path& group) {
    auto limit = number_in(group / "memory.max");
    // Above it the processes are only slowed down, but so would the download be.
    lower(limit, number_in(group / "memory.high"));
    const auto stat = read_file_if_exists(group / "memory.stat").value_or("");
    lower_to_left(left, limit, number_in(group / "memory.current"),
                  sum_of(stat, {"inactive_file", "active_file"}));
}

void lower_to_left_v1(std::optional<std::uint64_t>& left, const fs::path& group) {
    const auto stat = read_file_if_exists(group / "memory.stat").value_or("");
    lower_to_left(left, number_in(group / "memory.limit_in_bytes"),
                  number_in(group / "memory.usage_in_bytes"),
                  sum_of(stat, {"total_inactive_file", "total_active_file"}));
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

// Calls `add` with the controller ("": all of v2) and the folder of each group that counts.
template <class Add>
void for_each_group(const fs::path& membership, const fs::path& mount, Add add) {
    for (const std::string& line : split(read_file_if_exists(membership).value_or(""), '\n')) {
        // "4:cpu,cpuacct:/group", for v2 "0::/group"; the group may hold colons.
        const auto first = line.find(':');
        const auto second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        const std::string group = line.substr(second + 1);
        if (controllers.empty())
            for_group_and_above(mount, group, [&](const fs::path& at) { add(controllers, at); });
        else
            for (const std::string& controller : split(controllers, ','))
                for_group_and_above(mount / controller, group,
                                    [&](const fs::path& at) { add(controller, at); });
    }
}

}  // namespace

CgroupLimits cgroup_limits(const fs::path& membership, const fs::path& mount) {
    CgroupLimits limits;
    for_each_group(membership, mount, [&](const std::string& controller, const fs::path& at) {
        if (controller.empty())
            add_v2(limits, at);
        else
            add_v1(limits, at, controller);
    });
    return limits;
}

std::optional<std::uint64_t> cgroup_memory_left(const fs::path& membership, const fs::path& mount) {
    std::optional<std::uint64_t> left;
    for_each_group(membership, mount, [&](const std::string& controller, const fs::path& at) {
        if (controller.empty()) lower_to_left_v2(left, at);
        if (controller == "memory") lower_to_left_v1(left, at);
    });
    return left;
}

}  // namespace podctl::machine
