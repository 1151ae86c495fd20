#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <stop_token>
#include <string>
#include <thread>

namespace podctl::download {

// A file that says who works on another one, for network volumes: there flock(2) may succeed on
// two machines at once, while O_EXCL does not. The owner touches it; one that is left untouched,
// or whose process on this machine is gone, is taken over.
class OwnerFile {
public:
    struct Timing {
        std::chrono::milliseconds touch{2'000};
        // As long as a volume may be away without its pod being dead.
        std::chrono::milliseconds patience{15'000};
    };

    // Waits up to Timing::patience when somebody else's is there. Throws Error{locked}, Error{io},
    // Error{interrupted} once a stop is requested meanwhile.
    explicit OwnerFile(std::filesystem::path path, const std::stop_token& stop = {})
        : OwnerFile(std::move(path), Timing{}, stop) {}
    OwnerFile(std::filesystem::path path, Timing timing, const std::stop_token& stop = {});
    // Removes it.
    ~OwnerFile();
    OwnerFile(const OwnerFile&) = delete;
    OwnerFile& operator=(const OwnerFile&) = delete;

    // False: another one has taken it over, since this process stood still for too long.
    bool is_ours() const { return !lost_; }

private:
    bool create();
    void wait_until_abandoned(const std::stop_token& stop) const;
    void keep(const std::stop_token& stop);

    const std::filesystem::path path_;
    const Timing timing_;
    const std::string id_;
    std::atomic<bool> lost_ = false;
    std::jthread keeper_;
};

}  // namespace podctl::download
