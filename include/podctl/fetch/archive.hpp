#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace podctl::fetch {

struct UnpackedFile {
    std::string path = {};  // relative to the target folder
    std::uint64_t size = 0;
};

// Unpacks a zip or tar archive (any compression libarchive knows) into `folder`, which is created.
// Refuses absolute names, .., links that leave the folder, devices, more than 200,000 entries, and
// more bytes than the file system has free. Throws Error{integrity | io | interrupted}; the caller
// gives a fresh folder and renames what came.
std::vector<UnpackedFile> unpack(const std::filesystem::path& archive,
                                 const std::filesystem::path& folder, std::stop_token stop);

}  // namespace podctl::fetch
