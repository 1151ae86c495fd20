#include "podctl/base/cache_room.hpp"

#include <algorithm>
#include <utility>

namespace podctl {

CacheRoom::CacheRoom(std::function<std::uint64_t()> available) : available_{std::move(available)} {}

bool CacheRoom::take(FileIdentity file, std::uint64_t bytes) {
    const std::scoped_lock lock(mutex_);
    if (!left_) left_ = available_() / 2;
    const auto held = held_.find(file);
    const auto more = held == held_.end() ? bytes : bytes - std::min(bytes, held->second);
    if (more > *left_) return false;
    *left_ -= more;
    held_[file] += more;
    return true;
}

}  // namespace podctl
