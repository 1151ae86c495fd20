#include "podctl/base/sync.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace podctl {

void sync_file_system(const std::filesystem::path& folder) {
    const Fd fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!fd) throw system_error("cannot open " + folder.string(), errno);
    const bool synced =
        ::syncfs(fd.get()) == 0 || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP;
    if (!synced) throw system_error("cannot sync " + folder.string(), errno);
}

}  // namespace podctl
