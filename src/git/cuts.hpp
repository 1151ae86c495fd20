#pragma once

#include "handles.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace podctl::git {

// The commits at which a repository's history is cut (.git/shallow), 40 hex digits each.
std::vector<std::string> read_cuts(git_repository* repository);

// libgit2 before 1.9 forgets, when it fetches into a cut history, where that was cut before: the
// older commits then miss their parents. Made before a fetch, it keeps the cuts in a file beside,
// where a kill cannot lose them; restore() puts back those that still are cuts.
class KeptCuts {
public:
    explicit KeptCuts(git_repository* repository);
    void restore();

private:
    git_repository* repository_;
    std::filesystem::path kept_file_;
    std::vector<std::string> before_;
};

// Puts back what a killed fetch lost. True: the repository has to be opened again to see it.
bool heal_cuts(git_repository* repository);

}  // namespace podctl::git
