#pragma once

#include "resolvers.hpp"

#include <filesystem>
#include <map>
#include <stop_token>
#include <string>

namespace podctl::python {

// uv never looks at what is installed elsewhere, and an image's torch (2.9.0+cu128, or a vendor's
// own build) is on no index that uv asks. So what is inherited is shown to it as wheels that hold
// nothing but the metadata; they take part in the resolution only, and offline too.
//
// Nothing can be built with them, but uv takes what a build requires from the same places. So they
// go by a version of their own, which build constraints can name without the index's real package.
struct Stubs {
    std::filesystem::path folder;
    std::map<std::string, std::string> versions;  // as they go by, of those that could be made
};

// Throws Error{python} when the base's packages cannot be read.
Stubs write_stubs(const Resolution& resolution, std::stop_token stop);

// Constraints that leave the stubs out of builds, a line each.
std::string build_constraints(const Stubs& stubs);

// Versions as the packages themselves have them, in what uv says or writes.
std::string with_real_versions(std::string text);

}  // namespace podctl::python
