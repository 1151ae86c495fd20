#include "podctl/download/store.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/process_stat.hpp"
#include "podctl/base/trust.hpp"

#include "store_files.hpp"
#include "store_index.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

namespace podctl::download {
namespace {

namespace fs = std::filesystem;

// What nobody should change, since it is many roots' at once.
mode_t mode_in_store() {
    return 0444u & ~current_umask();
}

// How long who brings a file may be silent, on a volume that other machines see.
constexpr Lease::Timing turn_timing{.heartbeat = std::chrono::milliseconds{2'000},
                                    .patience = std::chrono::milliseconds{20'000}};

std::string sha256_of_open(const OpenedFile& opened, const std::stop_token& stop) {
    return sha256_file(fs::path{"/proc/self/fd"} / std::to_string(opened.file.get()), stop);
}

// It costs a hash at the next use, no more.
void note_stamp(const Store& store, const std::string& sha256, const StoreStamp& stamp) {
    if (!store.is_writable()) return;
    try {
        write_stamp(store.path(), sha256, stamp);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::io) throw;
    }
}

// The very file that was verified gets its name in the store.
void name_in_store(const Fd& file, const Place& from, const Store::Verified& verified,
                   const fs::path& target, const std::stop_token& stop) {
    create_folders(target.parent_path());
    const Place to = place_beneath(target, Missing::fail);
    if (!to.folder) throw system_error("cannot open " + target.parent_path().string(), errno);
    struct stat there {
    }, here{};
    if (::fstat(to.folder.get(), &there) != 0 || ::fstat(file.get(), &here) != 0)
        throw system_error("looking at " + target.string(), errno);
    if (here.st_dev == there.st_dev) {
        static_cast<void>(::fchmod(file.get(), mode_in_store()));
        const bool is_named = add_name(file.get(), to.folder.get(), to.name.c_str());
        // Somebody else has brought the same meanwhile.
        if (is_named || errno == EEXIST) return sync_folder(target.parent_path());
        if (!is_no_link(errno)) throw system_error("cannot write " + target.string(), errno);
        struct stat moved {};
        if (::renameat(from.folder.get(), from.name.c_str(), to.folder.get(), to.name.c_str()) ==
                0 &&
            ::fstatat(to.folder.get(), to.name.c_str(), &moved, AT_SYMLINK_NOFOLLOW) == 0) {
            if (identity_of(moved) == verified.identity) return sync_folder(target.parent_path());
            ::unlinkat(to.folder.get(), to.name.c_str(), 0);
        }
    }
    const NewName copy{to};
    copy_file(file.get(), copy, mode_in_store(), verified.sha256, target, stop);
    copy.give(target);
}

}  // namespace

StoreUser this_machine() {
    return {.mark = {}, .id = host_name()};
}

const char* to_string(LinkKind kind) {
    switch (kind) {
        case LinkKind::hard_link:
            return "hard link";
        case LinkKind::reflink:
            return "reflink";
        case LinkKind::symbolic_link:
            return "symbolic link";
        case LinkKind::copy:
            return "copy";
    }
    return "";
}

Store::Store(const fs::path& folder, Missing missing) : path_{normal_path(folder)} {
    Fd opened = open_folder_beneath(path_, missing);
    if (!opened && errno == ENOENT)
        throw Error{ErrorKind::not_found, fmt::format("{}: there is no store", path_.string()),
                    "`up` and `get` make it; is its volume mounted?"};
    if (!opened) throw system_error("cannot open the store " + path_.string(), errno);
    if (others_may_add_in(opened.get()))
        throw Error{ErrorKind::conflict,
                    fmt::format("{}: other users can write to this store, and what they put there "
                                "would be loaded",
                                path_.string()),
                    "make it yours and close it (chown, chmod go-w), or name another folder"};
    is_writable_ = ::faccessat(opened.get(), ".", W_OK | X_OK, AT_EACCESS) == 0;
    anchor(path_, std::move(opened));
}

fs::path Store::path_of(const std::string& sha256) const {
    if (!is_sha256(sha256))
        throw Error{ErrorKind::integrity, "what should be a SHA-256 is none: " + sha256};
    return path_ / "sha256" / sha256.substr(0, 2) / sha256;
}

fs::path Store::partial_of(const std::string& sha256) const {
    return path_ / "partial" / (sha256 + ".part");
}

std::optional<Store::Sight> Store::look_at(const std::string& sha256) const {
    const auto opened = open_stored(*this, sha256);
    if (!opened.file) return std::nullopt;
    const auto known = read_stamp(path_, sha256);
    return Sight{.size = opened.size(), .is_as_stamped = known && known->stamp == opened.stamp()};
}

Store::Seen Store::see(const std::string& sha256, Trust trust, const std::stop_token& stop) const {
    const auto opened = open_stored(*this, sha256);
    if (!opened.file) return {.file = {}, .fault = opened.fault};
    const StoredFile file{.sha256 = sha256, .size = opened.size()};
    const auto known = read_stamp(path_, sha256);
    const bool is_as_stamped = known && known->stamp == opened.stamp();
    if (is_as_stamped && trust == Trust::by_stamp) return {.file = file};
    const auto got = sha256_of_open(opened, stop);
    if (got != sha256) return {.file = {}, .fault = "is damaged: its sha256 is " + got};
    if (!is_as_stamped) note_stamp(*this, sha256, {opened.stamp(), known ? known->name : ""});
    return {.file = file};
}

Store::Seen Store::find(const std::string& sha256, Trust trust, const std::stop_token& stop) const {
    auto seen = see(sha256, trust, stop);
    if (seen.fault.empty()) return seen;
    const auto aside = set_aside(sha256);
    seen.fault = fmt::format("{} {}{}", path_of(sha256).string(), seen.fault,
                             aside ? "; it is now in " + aside->string() : "");
    return seen;
}

std::optional<fs::path> Store::set_aside(const std::string& sha256, Aside why) const {
    if (!is_writable_) return std::nullopt;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto stamp = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
    const auto target = path_ / (why == Aside::damaged ? "damaged" : "removed") /
                        fmt::format("{}-{}", sha256, stamp);
    try {
        create_folders(target.parent_path());
        rename_durably(path_of(sha256), target);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::io && error.kind() != ErrorKind::conflict) throw;
        return std::nullopt;
    }
    return target;
}

StoredFile Store::take(const Verified& verified, const std::stop_token& stop) const {
    const Place from = place_beneath(verified.path, Missing::fail);
    const Fd file{from.folder ? ::openat(from.folder.get(), from.name.c_str(),
                                         O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
                              : -1};
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0)
        throw system_error("cannot open " + verified.path.string(), errno);
    if (!(identity_of(status) == verified.identity))
        throw Error{ErrorKind::integrity,
                    fmt::format("{} was replaced by another user after it was verified",
                                verified.path.string()),
                    "fetch it into a folder where nobody else may write"};
    const auto& sha256 = verified.sha256;
    if (!find(sha256, Trust::by_stamp, stop).file)
        name_in_store(file, from, verified, path_of(sha256), stop);
    const auto opened = open_stored(*this, sha256);
    if (!opened.file)
        throw Error{ErrorKind::io,
                    fmt::format("{} {}", path_of(sha256).string(),
                                opened.fault.empty() ? "has gone again" : opened.fault),
                    "is somebody else at work on the store?"};
    note_stamp(*this, sha256, {opened.stamp(), verified.name});
    ::unlinkat(from.folder.get(), from.name.c_str(), 0);
    return {.sha256 = sha256, .size = opened.size()};
}

bool Store::adopt(const fs::path& place, const std::string& sha256, const FileStamp& stamp,
                  const StoreUser& user) const {
    if (!is_writable_) return false;
    const Place from = place_beneath(place, Missing::fail);
    const Fd file{from.folder ? ::openat(from.folder.get(), from.name.c_str(),
                                         O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
                              : -1};
    OpenedFile opened;
    if (!file || ::fstat(file.get(), &opened.status) != 0) return false;
    const auto& status = opened.status;
    // Of several names another may be somebody's who writes to it; or it is in the store already.
    const bool is_ours = S_ISREG(status.st_mode) && status.st_nlink == 1 &&
                         is_own(status.st_uid, from.folder.get()) &&
                         may_be_believed(status, from.folder.get());
    if (!is_ours || opened.stamp() != stamp || look_at(sha256)) return false;
    const auto target = path_of(sha256);
    create_folders(target.parent_path());
    const Place to = place_beneath(target, Missing::fail);
    if (!to.folder || !add_name(file.get(), to.folder.get(), to.name.c_str())) return false;
    static_cast<void>(::fchmod(file.get(), mode_in_store()));
    sync_folder(target.parent_path());
    note_stamp(*this, sha256, {stamp, place.filename().string()});
    write_place(path_, sha256,
                {.path = normal_path(place), .kind = LinkKind::hard_link, .user = user});
    return true;
}

std::unique_ptr<Lease> Store::turn(const std::string& sha256, const Lease::OnWait& on_wait,
                                   const std::stop_token& stop) const {
    auto lease = Lease::acquire(path_ / "partial", sha256, turn_timing, on_wait, stop);
    lease->remove_at_end();
    return lease;
}

bool Store::has_link_at(const fs::path& place) const {
    std::error_code failed;
    const auto target = fs::read_symlink(place, failed);
    return !failed && target.is_absolute() && is_inside(target, path_ / "sha256");
}

}  // namespace podctl::download
