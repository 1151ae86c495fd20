#pragma once

#include "podctl/base/process.hpp"

#include "exit_watch.hpp"

namespace podctl {

// spawn() with a choice of how the end of the child is noticed.
struct Spawner {
    static Child spawn(const Command& command, ExitNotice notice);
};

}  // namespace podctl
