#include "podctl/base/debug_log.hpp"

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <vector>

namespace podctl {
namespace {

// Never destroyed: a thread may still write when the process ends.
struct Takers {
    std::shared_mutex mutex;
    std::vector<const DebugLines*> all;  // under mutex
    std::atomic<bool> any = false;
};

Takers& takers() {
    static Takers& made = *new Takers;
    return made;
}

}  // namespace

DebugLines::DebugLines(Take take) : take_{std::move(take)} {
    const std::unique_lock lock{takers().mutex};
    takers().all.push_back(this);
    takers().any = true;
}

DebugLines::~DebugLines() {
    const std::unique_lock lock{takers().mutex};
    std::erase(takers().all, this);
    takers().any = !takers().all.empty();
}

bool DebugLines::are_taken() {
    return takers().any;
}

void DebugLines::hand_out(std::string_view room, const std::string& line) {
    const std::shared_lock lock{takers().mutex};
    for (const auto* taker : takers().all)
        taker->take_(room, line);
}

}  // namespace podctl
