#pragma once

#include "podctl/base/beneath.hpp"

namespace podctl {

// The steps of open_folder_beneath(), each by itself, so that both can be tried on any kernel.

// By one openat2(2) that meets no link and leaves `start` nowhere. Invalid, with errno: ENOSYS or
// EPERM where the kernel (or a container's filter of system calls) does not know it.
Fd open_without_links(int start, const std::filesystem::path& relative);

// Folder by folder, from the open folder `start`, whose path is `shown`; follows the user's own
// links. Invalid, with errno, when it cannot be had. Throws Error{conflict}.
Fd walk(int start, const std::filesystem::path& shown, const std::filesystem::path& relative,
        Missing missing);

// What the judge of judge_links_by() says; empty where there is none.
std::string judged_link(const std::filesystem::path& link);

// Throws Error{conflict} unless the link that is open as `link`, at the path `shown` in the open
// `folder`, may be followed.
void require_own_link(int link, int folder, const std::filesystem::path& shown);

}  // namespace podctl
