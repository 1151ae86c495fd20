#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace podctl::python {

// Where a path leads, links followed as far as there is something.
std::filesystem::path resolved(const std::filesystem::path& path);

// The file that a requirement's target or an option's value means: a path that begins with /, or
// file:///… , also behind a version control system (git+file:///…). nullopt: it is elsewhere.
std::optional<std::filesystem::path> local_file(const std::string& target);

}  // namespace podctl::python
