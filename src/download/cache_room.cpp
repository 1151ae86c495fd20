#include "cache_room.hpp"

#include <utility>

namespace podctl::download {

CacheRoom::CacheRoom(std::function<std::uint64_t()> available) : available_{std::move(available)} {}

bool CacheRoom::take(std::uint64_t bytes) {
    const std::scoped_lock lock(mutex_);
    if (!left_) left_ = available_() / 2;
    if (bytes > *left_) return false;
    *left_ -= bytes;
    return true;
}

}  // namespace podctl::download
