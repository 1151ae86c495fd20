#pragma once

#include "../context.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace podctl::run {

// What belongs to somebody else, and to whom: "nobody (uid 65534)".
struct Foreign {
    std::filesystem::path path;
    std::string owner;

    // "main.py belongs to nobody (uid 65534)", for a reason that stands beside a step.
    std::string brief() const;
};

// The part of the checkout or pack at `path` that another user can change: its folder, an entry of
// it, or one of .git. nullopt: nothing is there, or it is this user's, root's, or (under sudo) the
// caller's, as git has it (safe.directory); or nobody but this user could have put it there, since
// every folder from the root (for a path elsewhere: from /) down to it is closed to others: a copy
// that kept its owners. Of ComfyUI's folders those that hold data are not looked at.
std::optional<Foreign> other_owner(const std::filesystem::path& path, const plan::Places& places);

// Where other_owner() finds something: moves `path` aside by force, else throws Error{conflict}.
void clear_other_owners(const std::filesystem::path& path, const Task& task);

// Throws Error{conflict} where other_owner() finds something in a folder that podctl only reads;
// `key` of the template names it.
void refuse_other_owners(const std::filesystem::path& path, const std::string& key,
                         const plan::Places& places);

// The same of a single file.
void refuse_other_owner_of_file(const std::filesystem::path& file, const std::string& key,
                                const plan::Places& places);

// Throws Error{conflict} for a link of somebody else's on the way to a model. Says, once in a run,
// which folder below the root, on that way, has an owner who can exchange what was verified: the
// outermost.
void require_way(const std::filesystem::path& target, const Task& task);
// The same without the error: false where it is one.
bool is_way_followed(const std::filesystem::path& target, const Task& task);

}  // namespace podctl::run
