#pragma once

#include "podctl/download/store.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

// What is in a store, who uses it, and what of it can go.
namespace podctl::download {

struct StoredPlace {
    std::filesystem::path path = {};
    LinkKind kind = LinkKind::copy;
    enum class State {
        linked,
        gone,    // something else stands there, or nothing
        unseen,  // it is on a volume, or a machine, that is not this one: nobody can tell
    } state = State::gone;
    std::filesystem::path note = {};  // the store's, of this place
    FileIdentity note_file = {};      // which is another one once the place was linked again
};

struct StoreEntry {
    StoredFile file = {};
    std::string name = {};    // under which it came; empty: nobody has noted it
    std::uint64_t names = 0;  // hard links to it, beside its name in the store
    std::vector<StoredPlace> places = {};
    // When it came, or was last linked.
    std::chrono::system_clock::time_point used = {};

    // What is only a symbolic link away would break without it; so one that cannot be seen counts.
    bool is_in_use() const;
    // Only by such.
    bool is_unseen_only() const;
};

// In the order of their names. Other users' notes are passed over, and nothing is changed. Throws
// Error{io}.
std::vector<StoreEntry> list_store(const Store& store);

// A file of it that is not what its name says.
struct StoreDamage {
    StoreEntry entry = {};
    std::string fault = {};  // "is damaged: …"
    std::optional<std::filesystem::path> moved_to = {};
};
struct StoreCheck {
    std::function<void(const StoreEntry&, const std::optional<StoreDamage>&)> on_file = {};
    // Where damaged files are moved to damaged/, so that the next `up` fetches them anew.
    enum class Repair { no, yes } repair = Repair::no;
};
// Hashes every file. Returns what is damaged. Throws Error{io | interrupted}.
std::vector<StoreDamage> check_store(const Store& store, const StoreCheck& check,
                                     const std::stop_token& stop);

struct StorePruning {
    // What came or was linked since then stays: a pod may be about to link it.
    std::chrono::milliseconds keep = std::chrono::hours{1};
    enum class Unseen { keep, remove } unseen = Unseen::keep;  // see StoredPlace::State
    enum class Run { dry, real } run = Run::real;
};
struct StorePruned {
    std::vector<StoreEntry> files = {};    // that nobody uses
    std::vector<StoreEntry> too_new = {};  // nor these, but they stay for now
    std::vector<StoreEntry> unseen = {};   // StoreEntry::is_unseen_only(), and kept for that
    // What was cut short over a week ago, and what was damaged: how many files, and their bytes.
    std::size_t leftovers = 0;
    std::uint64_t bytes = 0;  // of all that has gone, or would
};
// Other pods may use the store meanwhile. Throws Error{io | interrupted}.
StorePruned prune_store(const Store& store, const StorePruning& pruning,
                        const std::stop_token& stop);

}  // namespace podctl::download
