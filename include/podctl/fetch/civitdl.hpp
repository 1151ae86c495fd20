#pragma once

#include "podctl/fetch/resolve.hpp"

#include <filesystem>
#include <string>

namespace podctl::fetch {

// Where civitdl's `basic` sorter puts a file, relative to the folder it is told:
// "<model name>/<file stem>-mid_<model>-vid_<version><ext>". Characters are replaced as civitdl
// does (`<` ( `>` ) `:` , `"` - `?` . and each of / \ | * &), then made safe.
std::filesystem::path civitdl_path(const ResolvedFile& file);

}  // namespace podctl::fetch
