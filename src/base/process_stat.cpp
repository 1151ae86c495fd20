#include "podctl/base/process_stat.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"

#include "proc.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <sstream>
#include <string>
#include <system_error>

namespace podctl {

namespace proc {

std::filesystem::path path_of(pid_t pid, const char* name) {
    return std::filesystem::path{"/proc"} / std::to_string(pid) / name;
}

std::optional<std::string> read(pid_t pid, const char* name) {
    try {
        return read_file_if_exists(path_of(pid, name));
    } catch (const Error&) {
        return std::nullopt;
    }
}

}  // namespace proc

namespace {

namespace fs = std::filesystem;

constexpr const char* mark_name = "PODCTL_CHILD_OF";

// A folder that is reached by a link is the same folder.
std::string mark_value(pid_t session, const fs::path& folder) {
    std::error_code failed;
    const fs::path canonical = fs::weakly_canonical(folder, failed);
    return std::to_string(session) + ":" + (failed ? folder : canonical).string();
}

}  // namespace

std::optional<ProcessStat> read_process(pid_t pid) {
    if (pid <= 0) return std::nullopt;
    const auto stat = proc::read(pid, "stat");
    if (!stat) return std::nullopt;
    // The second field is the program's name, which may hold spaces and parentheses.
    const auto name_end = stat->rfind(')');
    if (name_end == stat->npos) return std::nullopt;
    std::istringstream fields(stat->substr(name_end + 1));
    char state = 0;
    ProcessStat process;
    fields >> state >> process.parent >> process.group >> process.session;
    std::string skipped;
    for (int field = 7; field < 22; ++field)
        fields >> skipped;
    if (!(fields >> process.start_time) || state == 'Z' || state == 'X') return std::nullopt;
    return process;
}

bool group_runs(pid_t group) {
    if (::kill(-group, 0) != 0 && errno == ESRCH) return false;
    return proc::any_process([&](pid_t pid) {
        const auto process = read_process(pid);
        return process && process->group == group;
    });
}

std::map<std::string, std::string> child_mark(const fs::path& folder, pid_t session) {
    return {{mark_name, mark_value(session, folder)}};
}

std::map<std::string, std::string> child_mark(const fs::path& folder) {
    return child_mark(folder, ::getsid(0));
}

std::string boot_id() {
    return std::string{trim(read_file_if_exists("/proc/sys/kernel/random/boot_id").value_or(""))};
}

std::string pid_namespace() {
    std::error_code failed;
    return fs::read_symlink("/proc/self/ns/pid", failed).string();
}

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace podctl
