#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

namespace podctl::git {

struct NamedFile {
    std::filesystem::path path;
    bool is_settings = false;  // an include's
};

// The files that a git configuration has libgit2 read: includes, core.excludesFile and
// core.attributesFile. Rather one too many: a key counts in any section. Relative ones are in
// `folder`.
std::vector<NamedFile> files_named_in(std::string_view settings,
                                      const std::filesystem::path& folder);

}  // namespace podctl::git
