#include "podctl/base/trust.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

namespace podctl {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_of_a_state_file = 256u << 20;

// What a new file looks like.
struct Fresh {
    uid_t owner = 0;
    bool keeps_modes = true;
};

struct stat status_of(int fd) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) throw system_error("cannot look at a file", errno);
    return status;
}

Fresh seen(const struct stat& status) {
    return {status.st_uid, (status.st_mode & 077u) == 0};
}

// A file without a name leaves no trace; a folder with one is made where the file system knows no
// such files.
std::optional<Fresh> try_in(int folder) {
    const Fd file{::openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
    if (file) {
        static_cast<void>(::fchmod(file.get(), 0600));
        return seen(status_of(file.get()));
    }
    unsigned long long number = 0;
    if (::getrandom(&number, sizeof number, 0) != sizeof number) return std::nullopt;
    const auto name = fmt::format(".podctl-owner-{:016x}", number);
    if (::mkdirat(folder, name.c_str(), 0700) != 0) return std::nullopt;
    struct stat status {};
    const int looked = ::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW);
    ::unlinkat(folder, name.c_str(), AT_REMOVEDIR);
    return looked == 0 ? std::optional{seen(status)} : std::nullopt;
}

// nullopt: nothing can be made there, so nothing is known of the mount.
std::optional<Fresh> fresh_in(int folder) {
    static std::mutex mutex;
    static std::map<dev_t, Fresh> known;
    const auto device = status_of(folder).st_dev;
    const std::scoped_lock lock{mutex};
    if (const auto it = known.find(device); it != known.end()) return it->second;
    const auto fresh = try_in(folder);
    if (fresh) known.emplace(device, *fresh);
    return fresh;
}

bool modes_count(int folder) {
    const auto fresh = fresh_in(folder);
    return !fresh || fresh->keeps_modes;
}

// The owner and the permissions, which files and folders have in common.
std::string reason_by_owner(const struct stat& status, int folder) {
    if (!is_own(status.st_uid, folder)) return "belongs to " + user_name(status.st_uid);
    if (is_open_to_others(status) && modes_count(folder))
        return fmt::format("can be written by others (mode {:04o})", status.st_mode & 07777u);
    return {};
}

std::string read_whole(int file, const fs::path& path) {
    std::string text;
    std::vector<char> block(64u << 10);
    while (const auto size = read_at(file, text.size(), block, path)) {
        text.append(block.data(), size);
        if (text.size() > most_of_a_state_file)
            throw Error{ErrorKind::io,
                        path.string() + " is larger than anything that podctl writes", "remove it"};
    }
    return text;
}

// `judge_folder`: why nothing in the open folder is to be trusted; empty: it may be.
StateText read_checked(const fs::path& path, const std::function<std::string(int)>& judge_folder) {
    Place place;
    try {
        place = place_beneath(path, Missing::fail);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::conflict) throw;
        return {.text = {}, .distrust = "lies behind a link that is not followed"};
    }
    if (!place.folder && (errno == ENOENT || errno == ENOTDIR)) return {};
    if (!place.folder) throw system_error("cannot open " + path.parent_path().string(), errno);
    const Fd file{::openat(place.folder.get(), place.name.c_str(),
                           O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
    if (!file && errno == ENOENT) return {};
    // A socket cannot be opened (ENXIO).
    if (!file && errno == ELOOP) return {.text = {}, .distrust = "is a link"};
    if (!file && errno == ENXIO) return {.text = {}, .distrust = "is no regular file"};
    if (!file) throw system_error("cannot open " + path.string(), errno);
    if (auto reason = judge_folder(place.folder.get()); !reason.empty())
        return {.text = {}, .distrust = "stands in a folder that " + reason};
    if (auto reason = reason_to_distrust_file(file.get(), place.folder.get()); !reason.empty())
        return {.text = {}, .distrust = std::move(reason)};
    return {.text = read_whole(file.get(), path), .distrust = {}};
}

}  // namespace

std::string user_name(uid_t user) {
    std::vector<char> buffer(16u << 10);
    passwd entry{};
    passwd* found = nullptr;
    const bool known =
        ::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr;
    return known ? fmt::format("{} (uid {})", entry.pw_name, user) : fmt::format("uid {}", user);
}

bool is_open_to_others(const struct stat& status) {
    if ((status.st_mode & S_IWOTH) != 0) return true;
    return (status.st_mode & S_IWGRP) != 0 && status.st_gid != status.st_uid;
}

bool is_own(uid_t owner, int folder) {
    if (owner == ::geteuid()) return true;
    const auto fresh = fresh_in(folder);
    return fresh && fresh->owner == owner;
}

bool is_trusted_owner(uid_t owner, int folder) {
    if (owner == 0 || is_own(owner, folder)) return true;
    if (::geteuid() != 0) return false;
    const char* caller = std::getenv("SUDO_UID");
    return caller != nullptr && std::to_string(owner) == caller;
}

bool is_own_link(int link, int folder) {
    return is_trusted_owner(status_of(link).st_uid, folder) && !others_may_replace_in(folder);
}

bool keeps_owners(int folder) {
    const auto fresh = fresh_in(folder);
    return !fresh || (fresh->owner == ::geteuid() && fresh->keeps_modes);
}

bool others_may_replace_in(int folder) {
    const auto status = status_of(folder);
    const bool is_sticky = (status.st_mode & S_ISVTX) != 0;
    if (is_sticky && is_trusted_owner(status.st_uid, folder)) return false;
    return others_may_add_in(folder);
}

bool others_may_add_in(int folder) {
    const auto status = status_of(folder);
    if (!is_trusted_owner(status.st_uid, folder)) return true;
    return is_open_to_others(status) && modes_count(folder);
}

std::string reason_to_distrust_file(int file, int folder) {
    const auto status = status_of(file);
    if (S_ISLNK(status.st_mode)) return "is a link";
    if (!S_ISREG(status.st_mode)) return "is no regular file";
    // Under its other name somebody else may write it, or it is a file of quite another purpose.
    if (status.st_nlink > 1) return fmt::format("has {} names (hard links)", status.st_nlink);
    return reason_by_owner(status, folder);
}

std::string reason_to_distrust_folder(int folder, int parent) {
    const auto status = status_of(folder);
    if (S_ISLNK(status.st_mode)) return "is a link";
    if (!S_ISDIR(status.st_mode)) return "is no folder";
    return reason_by_owner(status, parent);
}

StateText read_state_file(const fs::path& path) {
    return read_checked(path, [](int folder) { return reason_to_distrust_folder(folder, folder); });
}

StateText read_own_file(const fs::path& path) {
    return read_checked(path, [](int) { return std::string{}; });
}

bool has_trusted_owner(const fs::path& path) {
    const Place place = place_beneath(path, Missing::fail);
    struct stat status {};
    return place.folder &&
           ::fstatat(place.folder.get(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           is_trusted_owner(status.st_uid, place.folder.get());
}

void write_state_file(const fs::path& path, std::string_view content) {
    AtomicFile file{path};
    file.set_mode(0600);
    file.write(content);
    file.commit();
}

}  // namespace podctl
