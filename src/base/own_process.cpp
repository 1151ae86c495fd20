#include "podctl/base/own_process.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/wait.hpp"

#include "pidfd.hpp"
#include "proc.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <sstream>
#include <system_error>

namespace podctl {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds look_interval{50};

// The real, effective, saved and file-system user, all of them: one that a set-user-id program
// runs for another is neither's. The owner of /proc/<pid> would not tell, it is root's as soon as
// the process is not dumpable.
bool is_of_this_user(pid_t pid) {
    const auto status = proc::read(pid, "status");
    if (!status) return false;
    const auto line = status->find("\nUid:");
    if (line == status->npos) return false;
    std::istringstream fields{status->substr(line + 5)};
    std::array<uid_t, 4> users{};
    for (auto& user : users)
        if (!(fields >> user)) return false;
    return std::ranges::all_of(users, [](uid_t user) { return user == ::geteuid(); });
}

// This process included.
bool is_ancestor(pid_t pid) {
    for (auto next = ::getpid(); next > 1;) {
        if (next == pid) return true;
        const auto process = read_process(next);
        if (!process) return false;
        next = process->parent;
    }
    return false;
}

bool may_be_signalled(pid_t pid, const ProcessStat& process) {
    // 0: a group of an outer PID namespace. 1: init's.
    if (process.group <= 1 || process.group == ::getpgrp()) return false;
    return is_of_this_user(pid) && !is_ancestor(pid);
}

// The same path means the same folder only where the same things are mounted.
bool sees_the_same_files(pid_t pid) {
    std::error_code failed;
    const auto own = fs::read_symlink("/proc/self/ns/mnt", failed);
    return !failed && fs::read_symlink(proc::path_of(pid, "ns/mnt"), failed) == own && !failed;
}

bool has_variable(pid_t pid, const std::string& variable) {
    const auto environment = proc::read(pid, "environ");
    if (!environment) return false;
    const auto variables = split(*environment, '\0');
    return std::ranges::find(variables, variable) != variables.end();
}

// The name of a file in memory: it is seen in /proc/<pid>/fd, and by nobody but the same user. A
// digest, since such a name has bounds that a path has not.
std::string announcement_name(const fs::path& folder) {
    std::error_code failed;
    const fs::path canonical = fs::weakly_canonical(folder, failed);
    return "podctl-works-in-" + sha256_hex((failed ? folder : canonical).string());
}

bool announces(pid_t pid, const std::string& name) {
    const std::string link = "/memfd:" + name + " (deleted)";
    std::error_code failed, ignored;
    for (fs::directory_iterator entry{proc::path_of(pid, "fd"), failed}, end;
         !failed && entry != end; entry.increment(failed)) {
        if (fs::read_symlink(entry->path(), ignored) == link) return true;
    }
    return false;
}

// What `wanted` takes, looked at once cheaply and again when it is held.
template <typename Wanted>
std::vector<OwnProcess> find(const Wanted& wanted) {
    std::vector<OwnProcess> found;
    proc::any_process([&](pid_t pid) {
        const auto process = read_process(pid);
        if (!process || !wanted(pid, *process)) return false;
        auto own = OwnProcess::open(pid);
        if (own && wanted(pid, own->stat())) found.push_back(std::move(*own));
        return false;
    });
    return found;
}

}  // namespace

std::optional<OwnProcess> OwnProcess::open(pid_t pid) {
    if (pid <= 1) return std::nullopt;
    Fd process = open_pidfd(pid);
    if (!process && errno == ESRCH) return std::nullopt;
    const auto stat = read_process(pid);
    if (!stat || !may_be_signalled(pid, *stat)) return std::nullopt;
    return OwnProcess{pid, std::move(process), *stat, false};
}

std::optional<OwnProcess> OwnProcess::find_announced(const fs::path& folder) {
    const auto name = announcement_name(folder);
    std::optional<OwnProcess> found;
    proc::any_process([&](pid_t pid) {
        if (pid == ::getpid() || !is_of_this_user(pid)) return false;
        Fd process = open_pidfd(pid);
        if (!process && errno == ESRCH) return false;
        const auto stat = read_process(pid);
        if (!stat || !is_of_this_user(pid) || !announces(pid, name) || !sees_the_same_files(pid))
            return false;
        found = OwnProcess{pid, std::move(process), *stat, true};
        return true;
    });
    return found;
}

bool OwnProcess::runs() const {
    if (process_) {
        std::array ended{Awaited{.fd = process_.get()}};
        return !wait_for_any(ended, Clock::now());
    }
    const auto now = read_process(pid_);
    return now && now->start_time == stat_.start_time;
}

void OwnProcess::signal(int signal) const {
    send(signal);
    if (signal == SIGTERM) send(SIGCONT);
}

void OwnProcess::send(int signal) const {
    if (process_) {
        if (send_signal(process_, signal)) return;
        if (errno == ESRCH) return;
    }
    const auto now = read_process(pid_);
    if (!now || now->start_time != stat_.start_time) return;
    if (announced_ ? is_of_this_user(pid_) : may_be_signalled(pid_, *now)) ::kill(pid_, signal);
}

bool OwnProcess::wait_until(Clock::time_point deadline) const {
    while (runs()) {
        const auto now = Clock::now();
        if (now >= deadline) return false;
        // Without a pidfd it is looked for again and again.
        std::array ended{Awaited{.fd = process_.get()}};
        wait_for_any(ended, process_ ? deadline : std::min(deadline, now + look_interval));
    }
    return true;
}

Announcement::Announcement(const fs::path& folder)
    : file_{::memfd_create(announcement_name(folder).c_str(), MFD_CLOEXEC)} {}

std::vector<OwnProcess> find_group(pid_t group, pid_t session) {
    return find([&](pid_t, const ProcessStat& process) {
        return process.group == group && process.session == session;
    });
}

std::vector<MarkedProcess> find_marked(const fs::path& folder) {
    auto processes = find([&](pid_t pid, const ProcessStat& process) {
        if (!is_of_this_user(pid)) return false;
        const auto [name, value] = *child_mark(folder, process.session).begin();
        return has_variable(pid, name + "=" + value) && sees_the_same_files(pid);
    });
    std::vector<MarkedProcess> found;
    for (auto& process : processes) {
        const auto name = proc::read(process.pid(), "comm").value_or("");
        found.push_back({std::move(process), std::string{trim(name)}});
    }
    return found;
}

}  // namespace podctl
