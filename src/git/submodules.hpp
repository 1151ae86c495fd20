#pragma once

#include "session.hpp"

#include <optional>
#include <set>
#include <string>

namespace podctl::git {

// A repository, as its submodules see it.
struct Superproject {
    git_repository* repository = nullptr;
    std::string url;  // its own, to which theirs may be relative
    // Where theirs may lead; nullopt: that is asked when one has to be fetched.
    std::optional<Reach> reach = {};
    int depth = 0;  // how many superprojects it has itself
    // The paths of those in which somebody did something by hand: they stay as they are.
    std::set<std::string> left_alone = {};
};

// Brings every submodule of the checked-out commit to the commit that its superproject names,
// recursively. Throws as clone() does.
void update_submodules(Session& session, const Superproject& superproject);

}  // namespace podctl::git
