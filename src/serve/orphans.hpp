#pragma once

#include <sys/types.h>

#include <span>

namespace podctl::serve {

// True for PID 1 and for a subreaper: processes whose parent is gone become its children.
bool adopts_orphans();

// Reaps the adopted processes that have ended. `own` are the children that somebody else waits for.
// No other thread may run children meanwhile: an adopted one cannot be told from theirs.
void reap_orphans(std::span<const pid_t> own);

}  // namespace podctl::serve
