#include "podctl/base/remove_tree.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/shorten.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace podctl {
namespace {

namespace fs = std::filesystem;

struct CloseDir {
    void operator()(DIR* dir) const { ::closedir(dir); }
};

struct Identity {
    dev_t device = 0;
    ino_t inode = 0;

    friend bool operator==(const Identity&, const Identity&) = default;
};

// One folder is open at a time, however deep it lies: a tree that a stranger's archive made may be
// deeper than this process may have files open, and its paths longer than a system call takes.
class Removal {
public:
    explicit Removal(fs::path path) : path_(std::move(path)) {}

    void run() {
        const Place place = place_beneath(path_, Missing::fail);
        if (!place.folder && is_gone(errno)) return;
        if (!place.folder) fail();
        if (::unlinkat(place.folder.get(), place.name.c_str(), 0) == 0 || is_gone(errno)) return;
        if (errno != EISDIR) fail();
        Fd folder{::openat(place.folder.get(), place.name.c_str(),
                           O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
        if (!folder && is_gone(errno)) return;
        if (!folder) fail();
        while (true) {
            if (const auto inner = clear(folder)) {
                folder = enter(std::move(folder), *inner);
                continue;
            }
            if (way_.empty()) break;
            folder = leave(folder);
        }
        if (::unlinkat(place.folder.get(), place.name.c_str(), AT_REMOVEDIR) != 0 &&
            !is_gone(errno))
            fail();
    }

private:
    static bool is_gone(int error_number) {
        return error_number == ENOENT || error_number == ENOTDIR;
    }

    [[noreturn]] void fail(const std::string& name = {}) const {
        const int error_number = errno;
        fs::path where = path_;
        for (const auto& step : way_)
            where /= step.name;
        if (!name.empty()) where /= name;
        throw system_error("cannot remove " + shorten_middle(where.string()), error_number);
    }

    Identity identity_of(const Fd& folder) const {
        struct stat status {};
        if (::fstat(folder.get(), &status) != 0) fail();
        return {status.st_dev, status.st_ino};
    }

    // Removes what is no folder. Returns the first folder that it meets; nullopt: nothing is left.
    std::optional<std::string> clear(const Fd& folder) const {
        for (bool is_empty = false; !is_empty;) {
            Fd copy{::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
            const std::unique_ptr<DIR, CloseDir> entries{copy ? ::fdopendir(copy.get()) : nullptr};
            if (!entries) fail();
            copy.release();
            // Some file systems skip entries while others are removed, so only a look that finds
            // nothing is the last.
            is_empty = true;
            while (const dirent* entry = ::readdir(entries.get())) {
                const std::string name = entry->d_name;
                if (name == "." || name == "..") continue;
                is_empty = false;
                if (::unlinkat(folder.get(), name.c_str(), 0) == 0 || errno == ENOENT) continue;
                if (errno == EISDIR) return name;
                fail(name);
            }
        }
        return std::nullopt;
    }

    Fd enter(Fd folder, const std::string& name) {
        Fd next{
            ::openat(folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
        if (!next && is_gone(errno)) return folder;
        if (!next) fail(name);
        way_.push_back({name, identity_of(folder)});
        return next;
    }

    // Back to the folder that it came from, and nowhere else: `folder` may have been moved.
    Fd leave(const Fd& folder) {
        Fd up{::openat(folder.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        if (!up) fail();
        if (!(identity_of(up) == way_.back().parent))
            throw Error{ErrorKind::io,
                        "cannot remove " + shorten_middle(path_.string()) +
                            ": somebody else moves folders in it",
                        "run it again when nobody else works there"};
        const std::string name = way_.back().name;
        way_.pop_back();
        // ENOTEMPTY: somebody put something there meanwhile, which the next look finds.
        if (::unlinkat(up.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT &&
            errno != ENOTEMPTY && errno != EEXIST)
            fail(name);
        return up;
    }

    struct Step {
        std::string name;
        Identity parent;
    };

    const fs::path path_;
    std::vector<Step> way_;  // from path_ to the folder that is open
};

}  // namespace

void remove_tree(const fs::path& path) {
    Removal{path.has_filename() ? path : path.parent_path()}.run();
}

void remove_tree_quietly(const fs::path& path) noexcept {
    try {
        remove_tree(path);
    } catch (const std::exception&) {
        // The error that is on its way says more.
    }
}

}  // namespace podctl
