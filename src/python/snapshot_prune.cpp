#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/file.hpp"
#include "podctl/python/snapshot.hpp"

#include "snapshot_manifest.hpp"
#include "snapshot_part_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <set>
#include <string>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;

// Nobody who packs writes nothing for so long, and the clocks of two machines do not differ by as
// much.
constexpr std::chrono::seconds abandoned_after = std::chrono::hours{1};

class Pruning {
public:
    explicit Pruning(const fs::path& path)
        : path_(path), folder_(open_folder_beneath(path, Missing::fail)) {
        if (!folder_ && errno != ENOENT) throw system_error("cannot open " + path.string(), errno);
    }

    void run(std::size_t keep, const std::function<std::string(const Snapshot&)>& group_of) {
        if (!folder_) return;
        std::set<std::string> named;
        std::map<std::string, std::size_t> kept;
        for (const Snapshot& snapshot : find_snapshots(path_)) {
            if (++kept[group_of ? group_of(snapshot) : std::string{}] > keep) {
                remove(snapshot.key + std::string{manifest_ending});
                continue;
            }
            for (const auto& part : snapshot.parts)
                named.insert(part.file());
        }
        remove_unnamed(named);
    }

private:
    void remove_unnamed(const std::set<std::string>& named) const {
        std::error_code failed;
        for (fs::directory_iterator at{path_through(folder_, "."), failed}, end;
             !failed && at != end; at.increment(failed)) {
            const std::string name = at->path().filename();
            const bool is_part = digest_in_name(name, part_ending).has_value();
            const bool is_temporary = is_unfinished_part(name) || is_unfinished_manifest(name);
            if ((!is_part && !is_temporary) || named.contains(name)) continue;
            if (is_abandoned_part(name) || is_old(name)) remove(name);
        }
        if (failed) throw system_error("cannot read " + path_.string(), failed.value());
    }

    bool is_old(const std::string& name) const {
        struct stat status {};
        if (::fstatat(folder_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return false;
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        return now - std::chrono::seconds{status.st_mtim.tv_sec} > abandoned_after;
    }

    void remove(const std::string& name) const {
        if (::unlinkat(folder_.get(), name.c_str(), 0) != 0 && errno != ENOENT)
            throw system_error("cannot remove " + (path_ / name).string(), errno);
    }

    const fs::path& path_;
    const Fd folder_;
};

}  // namespace

void prune_snapshots(const fs::path& folder, std::size_t keep,
                     const std::function<std::string(const Snapshot&)>& group_of) {
    Pruning{folder}.run(keep, group_of);
}

bool has_its_parts(const Snapshot& snapshot, const fs::path& folder) {
    return std::ranges::all_of(snapshot.parts, [&](const Snapshot::Part& part) {
        const auto stamp = file_stamp(folder / part.file());
        return stamp && stamp->size == part.packed;
    });
}

}  // namespace podctl::python
