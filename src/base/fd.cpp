#include "podctl/base/fd.hpp"

#include <unistd.h>

namespace podctl {

void Fd::close() {
    // Linux has released the descriptor even when close() says EINTR, so it is never tried again.
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace podctl
