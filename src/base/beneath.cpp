#include "podctl/base/beneath.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "walk.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>

namespace podctl {

namespace {

namespace fs = std::filesystem;

struct Start {
    std::shared_ptr<const Fd> folder;
    fs::path path;
};

class Anchors {
public:
    void put(const fs::path& folder, Fd opened) {
        const std::scoped_lock lock{mutex_};
        anchors_.insert_or_assign(normal_path(folder),
                                  std::make_shared<const Fd>(std::move(opened)));
    }

    // The innermost one that holds `path`.
    Start start_for(const fs::path& path) const {
        const std::scoped_lock lock{mutex_};
        for (fs::path folder = path;; folder = folder.parent_path()) {
            const auto found = anchors_.find(folder);
            if (found != anchors_.end() && is_there(*found->second)) return {found->second, folder};
            if (folder == folder.parent_path()) break;
        }
        return {std::make_shared<const Fd>(Fd{::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)}), "/"};
    }

    // Of that very path; nullptr: none.
    std::shared_ptr<const Fd> at(const fs::path& path) const {
        const std::scoped_lock lock{mutex_};
        const auto found = anchors_.find(path);
        return found != anchors_.end() && is_there(*found->second) ? found->second : nullptr;
    }

private:
    // A folder without a name left has been removed.
    static bool is_there(const Fd& folder) {
        struct stat status {};
        return ::fstat(folder.get(), &status) == 0 && status.st_nlink > 0;
    }

    mutable std::mutex mutex_;
    std::map<fs::path, std::shared_ptr<const Fd>> anchors_;
};

Anchors& anchors() {
    static Anchors all;
    return all;
}

struct Judge {
    std::mutex mutex;
    std::shared_ptr<const LinkJudge> asked;
};

Judge& judge_of_links() {
    static Judge judge;
    return judge;
}

}  // namespace

void anchor(const fs::path& folder) {
    Fd opened{::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (opened) return anchor(folder, std::move(opened));
    if (errno != ENOENT && errno != ENOTDIR)
        throw system_error("cannot open " + folder.string(), errno);
}

void anchor(const fs::path& folder, Fd opened) {
    anchors().put(folder, std::move(opened));
}

Fd open_folder_beneath(const fs::path& path, Missing missing) {
    const fs::path whole = normal_path(path);
    const Start start = anchors().start_for(whole);
    const fs::path relative = whole.lexically_relative(start.path);
    if (Fd folder = open_without_links(start.folder->get(), relative)) return folder;
    if (errno == ENOENT && missing == Missing::fail) return {};
    return walk(start.folder->get(), start.path, relative, missing);
}

Fd open_folder_beneath(const fs::path& path, const Fd& parent) {
    const fs::path whole = normal_path(path);
    if (const auto anchored = anchors().at(whole))
        return Fd{::openat(anchored->get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    Fd folder{::openat(parent.get(), whole.filename().c_str(),
                       O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    // With O_NOFOLLOW a link is no folder.
    if (!folder && errno == ENOTDIR) return open_folder_beneath(whole, Missing::fail);
    return folder;
}

Place place_beneath(const fs::path& path, Missing missing) {
    const fs::path whole = normal_path(path);
    return {open_folder_beneath(whole.parent_path(), missing), whole.filename().string()};
}

Fd open_beneath(const fs::path& path, int flags, mode_t mode) {
    const Place place = place_beneath(path, Missing::fail);
    if (!place.folder) return {};
    return Fd{
        ::openat(place.folder.get(), place.name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode)};
}

fs::path path_through(const Fd& folder, const std::string& name) {
    return fs::path{"/proc/self/fd"} / std::to_string(folder.get()) / name;
}

Fd reopen(const Fd& file, int flags) {
    const auto path = fs::path{"/proc/self/fd"} / std::to_string(file.get());
    return Fd{::open(path.c_str(), flags | O_CLOEXEC)};
}

mode_t current_umask() {
    // proc(5): since Linux 4.7.
    constexpr std::string_view key = "\nUmask:";
    constexpr mode_t usual = 022;
    const auto status = read_file_if_exists("/proc/self/status").value_or("");
    const auto at = status.find(key);
    if (at == status.npos) return usual;
    return static_cast<mode_t>(std::strtoul(status.c_str() + at + key.size(), nullptr, 8)) & 0777u;
}

void judge_links_by(LinkJudge judge) {
    Judge& current = judge_of_links();
    const std::scoped_lock lock{current.mutex};
    current.asked = std::make_shared<const LinkJudge>(std::move(judge));
}

std::string judged_link(const fs::path& link) {
    std::shared_ptr<const LinkJudge> asked;
    {
        Judge& current = judge_of_links();
        const std::scoped_lock lock{current.mutex};
        asked = current.asked;
    }
    if (!asked || !*asked) return {};
    const fs::path whole = normal_path(link);
    return (*asked)(whole, anchors().start_for(whole).path);
}

void refuse_foreign_links(const fs::path& path) {
    const Place place = place_beneath(path, Missing::fail);
    if (!place.folder) return;
    const Fd found{
        ::openat(place.folder.get(), place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
    struct stat status {};
    if (!found || ::fstat(found.get(), &status) != 0 || !S_ISLNK(status.st_mode)) return;
    require_own_link(found.get(), place.folder.get(), path);
}

}  // namespace podctl
