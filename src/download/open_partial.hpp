#pragma once

#include "podctl/base/fd.hpp"

#include <filesystem>

namespace podctl::download {

// Opens the partial file at `path` for reading and writing, or creates it (0600). One that another
// user may have written to is made anew. Throws Error{io}, Error{conflict} for one that cannot be
// replaced.
Fd open_partial(const std::filesystem::path& path);

}  // namespace podctl::download
