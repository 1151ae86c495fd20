#pragma once

#include "podctl/python/snapshot.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace podctl::python {

inline constexpr std::string_view manifest_ending = ".json", part_ending = ".tar.zst";

// More than the largest environment has; a manifest that says more is none.
inline constexpr std::uint64_t most_members = 2'000'000, most_part_bytes = std::uint64_t{1} << 41;

std::string snapshot_key(const Snapshot& snapshot);
std::filesystem::path manifest_path(const std::filesystem::path& folder, const std::string& key);

void write_manifest(const std::filesystem::path& folder, const Snapshot& snapshot);

// The key that a manifest's file name tells, or the digest that a part's does: the 64 digits before
// `ending`; nullopt: it is another file's.
std::optional<std::string> digest_in_name(const std::string& name, std::string_view ending);

// Whether a file of this name is a manifest that is being written, or was when its writer was
// killed.
bool is_unfinished_manifest(const std::string& name);

}  // namespace podctl::python
