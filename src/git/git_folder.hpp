#pragma once

#include <filesystem>
#include <optional>

namespace podctl::git {

// The folder that .git is, or the one that a file .git of a worktree or submodule names.
std::optional<std::filesystem::path> find_gitdir(const std::filesystem::path& checkout);

// A linked worktree has its own HEAD, but shares the refs of the main one.
std::filesystem::path find_common_dir(const std::filesystem::path& gitdir);

}  // namespace podctl::git
