#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace podctl::machine {

// With another status file than dpkg's own.
std::vector<std::string> missing_packages(const std::vector<std::string>& wanted,
                                          const std::filesystem::path& status);

}  // namespace podctl::machine
