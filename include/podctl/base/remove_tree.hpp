#pragma once

#include <filesystem>
#include <utility>

namespace podctl {

// remove_tree() for destructors and for what is left behind an error: what cannot be removed stays.
void remove_tree_quietly(const std::filesystem::path& path) noexcept;

// A tree that is gone when its scope ends, however it ends.
class Discarded {
public:
    explicit Discarded(std::filesystem::path path) : path_(std::move(path)) {}
    Discarded(const Discarded&) = delete;
    Discarded& operator=(const Discarded&) = delete;
    ~Discarded() { remove_tree_quietly(path_); }

private:
    const std::filesystem::path path_;
};

}  // namespace podctl
