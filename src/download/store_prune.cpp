#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/remove_tree.hpp"
#include "podctl/download/store_care.hpp"

#include "store_index.hpp"
#include "store_list.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace podctl::download {
namespace {

namespace fs = std::filesystem;
using std::chrono::system_clock;
using Run = StorePruning::Run;

// As `up` has it of a root's.
constexpr std::chrono::hours patience_with_partials{7 * 24};
// A copy that is under way takes no day.
constexpr std::chrono::hours patience_with_names{24};

class Pruner {
public:
    Pruner(const Store& store, const StorePruning& pruning, const std::stop_token& stop)
        : store_(store), pruning_(pruning), stop_(stop) {}

    StorePruned prune() {
        for (const auto& sha256 : digests_in(store_)) {
            require_going_on();
            prune_file(sha256);
        }
        prune_notes();
        prune_partials();
        prune_folder(store_.path() / "damaged", std::chrono::hours{0});
        // Of one that was killed.
        prune_folder(store_.path() / "removed", patience_with_names);
        for (const auto& shelf : entries_of(store_.path() / "sha256"))
            prune_folder(shelf, patience_with_names, ".");
        return std::move(pruned_);
    }

private:
    void require_going_on() const {
        if (stop_.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
    }

    bool is_used(const StoreEntry& entry) const {
        if (!entry.is_in_use()) return false;
        return !(pruning_.unseen == StorePruning::Unseen::remove && entry.is_unseen_only());
    }

    void prune_file(const std::string& sha256) {
        auto entry = entry_of(store_, sha256);
        if (!entry) return;
        if (is_used(*entry)) {
            forget_gone_places(*entry);
            if (entry->is_unseen_only()) pruned_.unseen.push_back(std::move(*entry));
            return;
        }
        if (entry->used > now_ - pruning_.keep) {
            pruned_.too_new.push_back(std::move(*entry));
            return;
        }
        if (pruning_.run == Run::real && !remove_file(*entry)) return;
        pruned_.bytes += entry->file.size;
        pruned_.files.push_back(std::move(*entry));
    }

    // Whoever links it notes that first and looks afterwards whether it is still there: so it is
    // taken away first, and the notes are looked at afterwards. False: somebody has linked it.
    bool remove_file(const StoreEntry& entry) const {
        const auto& sha256 = entry.file.sha256;
        const auto aside = store_.set_aside(sha256, Store::Aside::to_be_removed);
        if (!aside)
            throw Error{ErrorKind::io,
                        "cannot remove " + store_.path_of(sha256).string() +
                            ": the store is not this user's to change",
                        "run it as the store's owner"};
        if (is_linked_meanwhile(entry, *aside)) {
            rename_durably(*aside, store_.path_of(sha256));
            return false;
        }
        remove_tree(*aside);
        remove_tree(notes_of(store_.path(), sha256));
        return true;
    }

    bool is_linked_meanwhile(const StoreEntry& entry, const fs::path& aside) const {
        struct stat status {};
        if (::lstat(aside.c_str(), &status) != 0) return false;
        if (S_ISREG(status.st_mode) && status.st_nlink > 1) return true;
        const auto notes = read_places(store_.path(), entry.file.sha256);
        return std::ranges::any_of(notes, [&](const PlaceNote& note) {
            return std::ranges::find(entry.places, note.identity, &StoredPlace::note_file) ==
                   entry.places.end();
        });
    }

    // One that has just been written may be of a link that is about to be made.
    void forget_gone_places(const StoreEntry& entry) const {
        if (pruning_.run == Run::dry) return;
        for (const auto& place : entry.places)
            if (place.state == StoredPlace::State::gone &&
                is_older(place.note, patience_with_names))
                remove_tree_quietly(place.note);
    }

    // Of files that are not there any more.
    void prune_notes() {
        if (pruning_.run == Run::dry) return;
        for (const auto& notes : entries_of(notes_of(store_.path()))) {
            prune_folder(notes, patience_with_names, ".");
            const auto sha256 = notes.filename().string();
            struct stat status {};
            const bool is_file_there =
                is_sha256(sha256) && ::lstat(store_.path_of(sha256).c_str(), &status) == 0;
            if (!is_file_there && is_older(notes, patience_with_names)) remove_tree_quietly(notes);
        }
    }

    // Nobody is at work on them, or he would have written in a week.
    void prune_partials() { prune_folder(store_.path() / "partial", patience_with_partials); }

    void prune_folder(const fs::path& folder, std::chrono::hours patience,
                      const std::string& beginning = {}) {
        for (const auto& path : entries_of(folder)) {
            require_going_on();
            if (!path.filename().string().starts_with(beginning) || !is_older(path, patience))
                continue;
            struct stat status {};
            if (::lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
                status.st_nlink == 1)
                pruned_.bytes += static_cast<std::uint64_t>(status.st_size);
            ++pruned_.leftovers;
            if (pruning_.run == Run::real) remove_tree(path);
        }
    }

    bool is_older(const fs::path& path, std::chrono::hours patience) const {
        struct stat status {};
        if (::lstat(path.c_str(), &status) != 0) return false;
        const system_clock::time_point changed{std::chrono::seconds{status.st_ctim.tv_sec}};
        return changed <= now_ - patience;
    }

    static std::vector<fs::path> entries_of(const fs::path& folder) {
        std::vector<fs::path> paths;
        std::error_code failed;
        for (fs::directory_iterator at{folder, failed}, end; !failed && at != end;
             at.increment(failed))
            paths.push_back(at->path());
        return paths;
    }

    const Store& store_;
    const StorePruning& pruning_;
    const std::stop_token& stop_;
    const system_clock::time_point now_ = system_clock::now();
    StorePruned pruned_;
};

}  // namespace

StorePruned prune_store(const Store& store, const StorePruning& pruning,
                        const std::stop_token& stop) {
    return Pruner{store, pruning, stop}.prune();
}

}  // namespace podctl::download
