#include "podctl/run/state.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/trust.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view aside_mark = ".set-aside-";
constexpr int look_only = O_PATH | O_NOFOLLOW | O_CLOEXEC;

struct stat status_of(const Fd& file, const fs::path& path) {
    struct stat status {};
    if (::fstat(file.get(), &status) != 0)
        throw system_error("cannot look at " + path.string(), errno);
    return status;
}

// The folder that holds it is the user's word: links on the way to it are followed as by any
// program.
void make_root(const fs::path& root, const std::string& remedy) {
    std::error_code failed;
    fs::create_directories(root, failed);
    if (failed) {
        throw Error{
            ErrorKind::preflight,
            system_error("cannot create the folder " + root.string(), failed.value()).message(),
            remedy};
    }
    anchor(root);
}

// Moves what stands under `name` to a name beside it that nothing has. Returns that name; empty,
// with errno, when it cannot be.
std::string move_aside(const Fd& folder, const std::string& name) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto stamp = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
    constexpr std::size_t room = 200;  // of NAME_MAX
    const auto target = fmt::format("{}{}{}", name.substr(0, room), aside_mark, stamp);
    if (::renameat2(folder.get(), name.c_str(), folder.get(), target.c_str(), RENAME_NOREPLACE) ==
        0)
        return target;
    // Not every file system knows the flag; the name has the time in it.
    const bool is_refused = errno != EINVAL && errno != ENOSYS;
    if (is_refused || ::renameat(folder.get(), name.c_str(), folder.get(), target.c_str()) != 0)
        return {};
    return target;
}

class Claim {
public:
    Claim(const fs::path& state, std::string option)
        : state_{state},
          option_{std::move(option)},
          root_{open_folder_beneath(state.parent_path(), Missing::fail)},
          name_{state.filename().string()} {
        if (!root_) throw system_error("cannot open " + state.parent_path().string(), errno);
    }

    std::vector<std::string> run() {
        Fd folder = open();
        const bool was_closed = (status_of(folder, state_).st_mode & 077u) == 0;
        if (!was_closed) close_to_others(folder);
        check_entries(folder, was_closed);
        anchor(state_, std::move(folder));
        return std::move(notices_);
    }

private:
    // As it stands there, or made anew.
    Fd open() {
        constexpr int tries = 3;  // another podctl may be at the same
        for (int i = 0; i < tries; ++i) {
            if (::mkdirat(root_.get(), name_.c_str(), 0700) != 0 && errno != EEXIST)
                throw system_error("cannot create the folder " + state_.string(), errno);
            Fd found{::openat(root_.get(), name_.c_str(), look_only)};
            if (!found && errno == ENOENT) continue;
            if (!found) throw system_error("cannot open " + state_.string(), errno);
            if (S_ISLNK(status_of(found, state_).st_mode)) found = follow(std::move(found));
            const auto reason = reason_to_distrust_folder(found.get(), root_.get());
            if (reason.empty()) return found;
            set_aside(reason);
        }
        throw Error{ErrorKind::conflict,
                    fmt::format("{} is put back by another user again and again", state_.string()),
                    "name another place with " + option_};
    }

    // A link of the user's own leads to another disk; any other one is judged as what it is.
    Fd follow(Fd link) const {
        if (!is_own_link(link.get(), root_.get())) return link;
        Fd folder = open_folder_beneath(state_, Missing::fail);
        if (folder) return folder;
        throw Error{ErrorKind::conflict,
                    fmt::format("{} is a link to nothing that can be opened: {}", state_.string(),
                                std::strerror(errno)),
                    "is the volume that it leads to mounted? Remove the link if not"};
    }

    void set_aside(const std::string& reason) {
        const auto target = move_aside(root_, name_);
        if (target.empty()) {
            throw Error{ErrorKind::conflict,
                        fmt::format("{} {}, so it cannot be trusted, nor moved aside: {}",
                                    state_.string(), reason, std::strerror(errno)),
                        "remove it, or name another place with " + option_};
        }
        notices_.push_back(fmt::format(
            "{} {}, so it is not trusted: it is now {}, and what it said is verified again",
            state_.string(), reason, (state_.parent_path() / target).string()));
    }

    void close_to_others(const Fd& folder) {
        const Fd writable{::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        if (writable) static_cast<void>(::fchmod(writable.get(), 0700));
        if ((status_of(folder, state_).st_mode & 077u) == 0) return;
        notices_.push_back(
            fmt::format("{} keeps no owners or permissions of files: whoever can write there can "
                        "change what podctl keeps",
                        state_.parent_path().string()));
    }

    // A few entries; what lies deeper is checked where it is read. One that others may write is
    // harmless where they could not reach it.
    void check_entries(const Fd& folder, bool was_closed) {
        std::error_code failed;
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator{path_through(folder, "."), failed})
            names.push_back(entry.path().filename().string());
        if (failed) throw system_error("cannot read " + state_.string(), failed.value());
        for (const auto& name : names) {
            if (name.find(aside_mark) != name.npos) continue;
            const Fd entry{::openat(folder.get(), name.c_str(), look_only)};
            if (!entry) continue;
            const auto reason = reason_against(entry, folder, was_closed);
            if (!reason.empty()) set_entry_aside(folder, name, reason);
        }
    }

    std::string reason_against(const Fd& entry, const Fd& folder, bool was_closed) const {
        const auto status = status_of(entry, state_);
        if (!is_own(status.st_uid, folder.get()))
            return fmt::format("{}belongs to {}", S_ISLNK(status.st_mode) ? "is a link that " : "",
                               user_name(status.st_uid));
        if (S_ISLNK(status.st_mode) || S_ISSOCK(status.st_mode)) return {};
        if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode)) return "is no regular file";
        if (was_closed) return {};
        return S_ISDIR(status.st_mode) ? reason_to_distrust_folder(entry.get(), folder.get())
                                       : reason_to_distrust_file(entry.get(), folder.get());
    }

    void set_entry_aside(const Fd& folder, const std::string& name, const std::string& reason) {
        const auto path = (state_ / name).string();
        const auto target = move_aside(folder, name);
        if (target.empty())
            throw system_error(fmt::format("{} {}, and cannot be moved aside", path, reason),
                               errno);
        notices_.push_back(
            fmt::format("{} {}, so it is not trusted: it is now {}", path, reason, target));
    }

    const fs::path state_;
    const std::string option_;  // that names another place
    const Fd root_;
    const std::string name_;
    std::vector<std::string> notices_;
};

}  // namespace

std::vector<std::string> claim_state(const fs::path& state) {
    make_root(state.parent_path(), "mount the volume there, or name another place with --root");
    return Claim{state, "--root"}.run();
}

std::vector<std::string> claim_own_folder(const plan::Places& places) {
    if (places.own == places.state) return claim_state(places.state);
    make_root(places.own.parent_path(), "name another place with --local");
    return Claim{places.own, "--local"}.run();
}

}  // namespace podctl::run
