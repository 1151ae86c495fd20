#pragma once

namespace podctl {

// SIGKILL to the process group of every child that a Child stands for. None of them can have been
// reaped meanwhile, so that each number is still its own.
void kill_children();

}  // namespace podctl
