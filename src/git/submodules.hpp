#pragma once

#include "session.hpp"

#include <string>

namespace podctl::git {

// A repository, as its submodules see it.
struct Superproject {
    git_repository* repository = nullptr;
    std::string url;                // its own, to which theirs may be relative
    Reach reach = Reach::anywhere;  // where theirs may lead
    int depth = 0;                  // how many superprojects it has itself
};

// Brings every submodule of the checked-out commit to the commit that its superproject names,
// recursively. Throws as clone() does.
void update_submodules(Session& session, const Superproject& superproject);

}  // namespace podctl::git
