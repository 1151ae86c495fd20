#include "podctl/base/process_stat.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"

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

// A process may end between open and read, which then fails with ESRCH.
std::optional<std::string> read_stat(pid_t pid) {
    try {
        return read_file_if_exists("/proc/" + std::to_string(pid) + "/stat");
    } catch (const Error&) {
        return std::nullopt;
    }
}

}  // namespace

std::optional<ProcessStat> read_process(pid_t pid) {
    if (pid <= 0) return std::nullopt;
    const auto stat = read_stat(pid);
    if (!stat) return std::nullopt;
    // The second field is the program's name, which may hold spaces and parentheses.
    const auto name_end = stat->rfind(')');
    if (name_end == stat->npos) return std::nullopt;
    std::istringstream fields(stat->substr(name_end + 1));
    char state = 0;
    pid_t parent = 0;
    ProcessStat process;
    fields >> state >> parent >> process.group;
    std::string skipped;
    for (int field = 6; field < 22; ++field)
        fields >> skipped;
    if (!(fields >> process.start_time) || state == 'Z' || state == 'X') return std::nullopt;
    return process;
}

bool group_runs(pid_t group) {
    if (::kill(-group, 0) != 0 && errno == ESRCH) return false;
    std::error_code error;
    for (fs::directory_iterator entry{"/proc", error}, end; !error && entry != end;
         entry.increment(error)) {
        const auto name = entry->path().filename().string();
        pid_t pid = 0;
        std::from_chars(name.data(), name.data() + name.size(), pid);
        const auto process = read_process(pid);
        if (process && process->group == group) return true;
    }
    return static_cast<bool>(error);
}

std::string boot_id() {
    return std::string{trim(read_file_if_exists("/proc/sys/kernel/random/boot_id").value_or(""))};
}

}  // namespace podctl
