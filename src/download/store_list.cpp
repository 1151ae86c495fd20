#include "store_list.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/download/store_care.hpp"

#include "store_files.hpp"
#include "store_index.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <tuple>

namespace podctl::download {
namespace {

namespace fs = std::filesystem;
using std::chrono::system_clock;

// Whether this process sees the places of a user: those of this machine, or of a volume that is
// mounted where he had it.
class Sighted {
public:
    bool operator()(const StoreUser& user) {
        if (user.mark.empty()) return user == this_machine();
        const auto known = marks_.find(user.mark);
        if (known != marks_.end()) return known->second == user.id;
        return (marks_[user.mark] = read_mark(user.mark)) == user.id;
    }

private:
    static std::string read_mark(const fs::path& mark) {
        try {
            return read_file_if_exists(mark).value_or("");
        } catch (const Error&) {
            return "";  // another user's, say
        }
    }

    std::map<fs::path, std::string> marks_;
};

StoredPlace::State state_of(const PlaceNote& note, const OpenedFile& stored, Sighted& is_sighted) {
    using enum StoredPlace::State;
    if (!is_sighted(note.user)) return unseen;
    struct stat status {};
    if (::stat(note.path.c_str(), &status) != 0) return gone;
    if (identity_of(status) == identity_of(stored.status)) return linked;
    const bool is_own_file = note.kind == LinkKind::reflink || note.kind == LinkKind::copy;
    return is_own_file && S_ISREG(status.st_mode) && status.st_size == stored.status.st_size
               ? linked
               : gone;
}

system_clock::time_point time_of(const fs::path& file) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) return {};
    return system_clock::time_point{std::chrono::duration_cast<system_clock::duration>(
        std::chrono::seconds{status.st_mtim.tv_sec} +
        std::chrono::nanoseconds{status.st_mtim.tv_nsec})};
}

system_clock::time_point last_use(const Store& store, const std::string& sha256) {
    auto last = time_of(store.path_of(sha256));
    std::error_code failed;
    for (fs::directory_iterator at{notes_of(store.path(), sha256), failed}, end;
         !failed && at != end; at.increment(failed))
        last = std::max(last, time_of(at->path()));
    return last;
}

}  // namespace

bool StoreEntry::is_in_use() const {
    using enum StoredPlace::State;
    return names > 0 || std::ranges::any_of(places, [](const StoredPlace& place) {
               const bool may_break =
                   place.state == unseen && place.kind == LinkKind::symbolic_link;
               return place.state == linked || may_break;
           });
}

bool StoreEntry::is_unseen_only() const {
    using enum StoredPlace::State;
    return is_in_use() && names == 0 && std::ranges::none_of(places, [](const StoredPlace& place) {
               return place.state == linked;
           });
}

std::optional<StoreEntry> entry_of(const Store& store, const std::string& sha256) {
    const auto opened = open_stored(store, sha256);
    struct stat status = opened.status;
    // One that is not to be used is there all the same.
    if (!opened.file && ::lstat(store.path_of(sha256).c_str(), &status) != 0) return std::nullopt;
    const auto stamp = read_stamp(store.path(), sha256);
    StoreEntry entry{
        .file = {.sha256 = sha256, .size = static_cast<std::uint64_t>(status.st_size)},
        .name = stamp ? stamp->name : "",
        .names = S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_nlink) - 1 : 0,
        .used = last_use(store, sha256)};
    Sighted is_sighted;
    for (const auto& note : read_places(store.path(), sha256))
        entry.places.push_back({.path = note.path,
                                .kind = note.kind,
                                .state = state_of(note, opened, is_sighted),
                                .note = note.file,
                                .note_file = note.identity});
    return entry;
}

std::vector<std::string> digests_in(const Store& store) {
    std::vector<std::string> digests;
    std::error_code failed;
    for (fs::directory_iterator shelf{store.path() / "sha256", failed}, end;
         !failed && shelf != end; shelf.increment(failed)) {
        std::error_code no_folder;
        for (fs::directory_iterator at{shelf->path(), no_folder}; !no_folder && at != end;
             at.increment(no_folder)) {
            const auto name = at->path().filename().string();
            const bool is_shelved = shelf->path().filename().string() == name.substr(0, 2);
            if (is_sha256(name) && to_lower(name) == name && is_shelved) digests.push_back(name);
        }
    }
    if (failed && failed.value() != ENOENT)
        throw system_error("cannot read " + store.path().string(), failed.value());
    std::ranges::sort(digests);
    return digests;
}

std::vector<StoreEntry> list_store(const Store& store) {
    std::vector<StoreEntry> entries;
    for (const auto& sha256 : digests_in(store))
        if (auto entry = entry_of(store, sha256)) entries.push_back(std::move(*entry));
    std::ranges::sort(entries, {}, [](const StoreEntry& entry) {
        return std::tie(entry.name, entry.file.sha256);
    });
    return entries;
}

std::vector<StoreDamage> check_store(const Store& store, const StoreCheck& check,
                                     const std::stop_token& stop) {
    std::vector<StoreDamage> all;
    for (auto& entry : list_store(store)) {
        const auto fault = store.see(entry.file.sha256, Store::Trust::nothing, stop).fault;
        std::optional<StoreDamage> damage;
        if (!fault.empty()) {
            damage = StoreDamage{.entry = entry, .fault = fault};
            if (check.repair == StoreCheck::Repair::yes)
                damage->moved_to = store.set_aside(entry.file.sha256);
            all.push_back(*damage);
        }
        if (check.on_file) check.on_file(entry, damage);
    }
    return all;
}

}  // namespace podctl::download
