#include "podctl/base/process_stat.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <sstream>
#include <string>
#include <system_error>

namespace podctl {

namespace {

namespace fs = std::filesystem;

constexpr const char* mark_name = "PODCTL_CHILD_OF";

fs::path in_proc(pid_t pid, const char* name) {
    return fs::path{"/proc"} / std::to_string(pid) / name;
}

// A process may end between open and read, which then fails with ESRCH; another user's cannot be
// read.
std::optional<std::string> read_of(pid_t pid, const char* name) {
    try {
        return read_file_if_exists(in_proc(pid, name));
    } catch (const Error&) {
        return std::nullopt;
    }
}

// Until `visit` says true.
template <typename Visit>
bool any_process(const Visit& visit) {
    std::error_code error;
    for (fs::directory_iterator entry{"/proc", error}, end; !error && entry != end;
         entry.increment(error)) {
        const auto name = entry->path().filename().string();
        pid_t pid = 0;
        std::from_chars(name.data(), name.data() + name.size(), pid);
        if (pid > 0 && visit(pid)) return true;
    }
    return static_cast<bool>(error);
}

// The same path means the same folder only where the same things are mounted.
bool sees_the_same_files(pid_t pid) {
    std::error_code failed;
    const auto own = fs::read_symlink("/proc/self/ns/mnt", failed);
    return !failed && fs::read_symlink(in_proc(pid, "ns/mnt"), failed) == own && !failed;
}

// A folder that is reached by a link is the same folder.
std::string mark_value(pid_t session, const fs::path& folder) {
    std::error_code failed;
    const fs::path canonical = fs::weakly_canonical(folder, failed);
    return std::to_string(session) + ":" + (failed ? folder : canonical).string();
}

bool has_mark(pid_t pid, const std::string& mark) {
    const auto environment = read_of(pid, "environ");
    if (!environment) return false;
    const auto variables = split(*environment, '\0');
    return std::ranges::find(variables, mark) != variables.end();
}

}  // namespace

std::optional<ProcessStat> read_process(pid_t pid) {
    if (pid <= 0) return std::nullopt;
    const auto stat = read_of(pid, "stat");
    if (!stat) return std::nullopt;
    // The second field is the program's name, which may hold spaces and parentheses.
    const auto name_end = stat->rfind(')');
    if (name_end == stat->npos) return std::nullopt;
    std::istringstream fields(stat->substr(name_end + 1));
    char state = 0;
    pid_t parent = 0;
    ProcessStat process;
    fields >> state >> parent >> process.group >> process.session;
    std::string skipped;
    for (int field = 7; field < 22; ++field)
        fields >> skipped;
    if (!(fields >> process.start_time) || state == 'Z' || state == 'X') return std::nullopt;
    return process;
}

bool group_runs(pid_t group) {
    if (::kill(-group, 0) != 0 && errno == ESRCH) return false;
    return any_process([&](pid_t pid) {
        const auto process = read_process(pid);
        return process && process->group == group;
    });
}

std::map<std::string, std::string> child_mark(const fs::path& folder) {
    return {{mark_name, mark_value(::getsid(0), folder)}};
}

std::vector<MarkedProcess> find_marked(const fs::path& folder) {
    std::vector<MarkedProcess> found;
    any_process([&](pid_t pid) {
        const auto process = read_process(pid);
        // A podctl that was itself started by one of them is not among them.
        if (!process || process->group == ::getpgrp()) return false;
        // 0: its group is of an outer PID namespace, and to signal that would be to signal our own.
        if (process->group <= 1) return false;
        const auto mark = std::string{mark_name} + "=" + mark_value(process->session, folder);
        if (!has_mark(pid, mark) || !sees_the_same_files(pid)) return false;
        const auto name = read_of(pid, "comm").value_or("");
        found.push_back({pid, process->group, std::string{trim(name)}});
        return false;
    });
    return found;
}

std::string boot_id() {
    return std::string{trim(read_file_if_exists("/proc/sys/kernel/random/boot_id").value_or(""))};
}

}  // namespace podctl
