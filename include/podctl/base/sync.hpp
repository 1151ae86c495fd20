#pragma once

#include <filesystem>

namespace podctl {

// Brings all that was written to the file system of `folder` to its disk (syncfs(2)), for trees of
// files that others wrote: git, pip, uv. To be called before what says that they are whole, or a
// host that stops leaves that and empty files. One that cannot sync is accepted. Throws Error{io}.
void sync_file_system(const std::filesystem::path& folder);

}  // namespace podctl
