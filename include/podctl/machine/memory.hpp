#pragma once

#include "podctl/base/cache_room.hpp"
#include "podctl/base/units.hpp"

#include <memory>

namespace podctl::machine {

// How much more memory this process and those beside it in its control groups can be given now,
// with what the kernel can drop at once: MemAvailable of /proc/meminfo, or what the limits of its
// groups (memory.max and memory.high of v2, memory.limit_in_bytes of v1) leave, where that is less.
// 0 where the kernel does not tell. Well under a millisecond.
Bytes available_memory();

// A budget of what is available when it is first asked.
std::shared_ptr<CacheRoom> room_in_page_cache();

}  // namespace podctl::machine
