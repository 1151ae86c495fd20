#pragma once

#include "session.hpp"

#include <string>

namespace podctl::git {

// Brings every submodule of the checked-out commit to the commit that its superproject names,
// recursively. `url` is the superproject's own, to which theirs may be relative. Throws as clone()
// does.
void update_submodules(Session& session, git_repository* superproject, const std::string& url);

}  // namespace podctl::git
