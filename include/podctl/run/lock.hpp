#pragma once

#include "podctl/base/fd.hpp"
#include "podctl/base/own_process.hpp"

#include <filesystem>
#include <optional>

namespace podctl::run {

// Held while one podctl changes or runs the pod of a root; the kernel lets go of it when the
// process ends, however it ends.
//
// The file stands in the state folder, and goes with it when somebody removes or renames that while
// a pod runs. So the one who runs the pod announces it outside of the volume, too.
class RootLock {
public:
    enum class For {
        pod,
        moment,  // for a look or an end: it is not announced, since nobody has to end it
    };
    // `path` is <root>/<state>/<file>. Throws Error{locked} that names the process that holds it,
    // Error{io}.
    explicit RootLock(const std::filesystem::path& path, For what = For::pod);

private:
    Fd fd_;
    std::optional<Announcement> announcement_;
};

}  // namespace podctl::run
