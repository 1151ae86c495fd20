#pragma once

#include "podctl/download/store_care.hpp"

#include <optional>
#include <string>
#include <vector>

namespace podctl::download {

// The files' names, in order; of what else lies there nothing is said.
std::vector<std::string> digests_in(const Store& store);

// nullopt: it is not there.
std::optional<StoreEntry> entry_of(const Store& store, const std::string& sha256);

}  // namespace podctl::download
