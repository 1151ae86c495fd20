#pragma once

#include "podctl/base/process.hpp"

#include "exit_watch.hpp"

namespace podctl {

// Who takes the child to its working directory: posix_spawn, from glibc 2.29 on, or env(1).
enum class FolderChange { by_spawn, by_env };
FolderChange folder_change();  // what this machine's glibc can do

// spawn() with a choice of how the end of the child is noticed, and how it gets to its folder.
struct Spawner {
    static Child spawn(const Command& command, ExitNotice notice,
                       FolderChange change = folder_change());
};

}  // namespace podctl
