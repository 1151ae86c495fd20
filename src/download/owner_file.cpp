#include "owner_file.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process_stat.hpp"
#include "podctl/base/stop.hpp"
#include "podctl/base/thread.hpp"
#include "podctl/base/trust.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>

namespace podctl::download {
namespace {

using Clock = std::chrono::steady_clock;

// This start of this machine, and what a process id means here: a container has numbers of its own.
std::string machine() {
    std::error_code failed;
    return boot_id() + " " + std::filesystem::read_symlink("/proc/self/ns/pid", failed).string();
}

// With its start a process is named for good: its number is used again.
std::string start_of(pid_t pid) {
    const auto process = read_process(pid);
    return process ? std::to_string(process->start_time) : std::string{};
}

std::string own_id() {
    return fmt::format("{} {} {}\n", machine(), ::getpid(), start_of(::getpid()));
}

// Only of a process of this machine can it be said that it is gone.
bool is_gone(const std::string& id) {
    const auto words = split(trim(id), ' ');
    if (words.size() != 4 || words[0].empty() || words[0] + " " + words[1] != machine())
        return false;
    pid_t pid = 0;
    const auto& text = words[2];
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
    return error == std::errc{} && end == text.data() + text.size() && start_of(pid) != words[3];
}

struct Sight {
    std::string id;
    std::int64_t touched = 0;

    friend bool operator==(const Sight&, const Sight&) = default;
};

Sight look(const std::filesystem::path& path) {
    const auto stamp = file_stamp(path);
    return {read_own_file(path).text.value_or(""), stamp ? stamp->mtime_ns : 0};
}

}  // namespace

OwnerFile::OwnerFile(std::filesystem::path path, Timing timing, const std::stop_token& stop)
    : path_(std::move(path)), timing_(timing), id_(own_id()) {
    while (!create()) {
        wait_until_abandoned(stop);
        if (::unlink(path_.c_str()) != 0 && errno != ENOENT)
            throw system_error("removing " + path_.string(), errno);
    }
    keeper_ = start_thread([this](const std::stop_token& stop) { keep(stop); },
                           [](const std::exception_ptr&) {});
}

OwnerFile::~OwnerFile() {
    keeper_.request_stop();
    keeper_.join();
    if (is_ours() && look(path_).id == id_) ::unlink(path_.c_str());
}

bool OwnerFile::create() {
    const Fd fd = open_beneath(path_, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (!fd && errno == EEXIST) return false;
    if (!fd) throw system_error("opening " + path_.string(), errno);
    write_all(fd.get(), id_, path_);
    return true;
}

void OwnerFile::wait_until_abandoned(const std::stop_token& stop) const {
    // Another user's says nothing of this user's file.
    if (!read_own_file(path_).distrust.empty()) return;
    const Sight first = look(path_);
    const auto until = Clock::now() + timing_.patience;
    while (Clock::now() < until && !is_gone(first.id)) {
        if (look(path_) != first && file_stamp(path_))
            throw Error{ErrorKind::locked,
                        fmt::format("{}: another podctl is at work there", path_.string()),
                        "wait for it, or stop it"};
        if (!file_stamp(path_)) return;
        if (!wait_for(std::min(timing_.touch / 4, timing_.patience / 4), stop))
            throw Error{ErrorKind::interrupted, "stopped"};
    }
}

void OwnerFile::keep(const std::stop_token& stop) {
    while (wait_for(timing_.touch, stop)) {
        try {
            // A volume that is away for a moment says nothing of who owns the file.
            const auto id = look(path_).id;
            if (!id.empty() && id != id_) {
                lost_ = true;
                return;
            }
        } catch (const std::exception&) {
            continue;  // nor does one that answers with an error
        }
        ::utimensat(AT_FDCWD, path_.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
    }
}

}  // namespace podctl::download
