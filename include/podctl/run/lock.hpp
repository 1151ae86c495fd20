#pragma once

#include "podctl/base/fd.hpp"

#include <filesystem>

namespace podctl::run {

// Held while one podctl changes or runs the pod of a root; the kernel lets go of it when the
// process ends, however it ends.
class RootLock {
public:
    // Throws Error{locked} that names the process that holds it, Error{io}.
    explicit RootLock(const std::filesystem::path& path);

private:
    Fd fd_;
};

}  // namespace podctl::run
