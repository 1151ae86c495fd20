#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace podctl::download {

struct UnpackedFile {
    std::string path = {};  // relative to the target folder
    std::uint64_t size = 0;
};

// Names that begin with a dot: a pack's own (.gitignore, .github), but a model has none.
enum class DotNames {
    taken,
    refused,  // but what macOS adds to a zip (._x, .DS_Store), and .gitkeep
};

// Unpacks a zip or tar archive (packed with gzip, bzip2, xz, lzma, zstd, lz4 or compress) into
// `folder`, which is created. Returns the regular files, hard links among them, by name; a name
// that comes twice is the last one's, as tar and unzip have it, and one that is no UTF-8 is read in
// code page 437. A zip is what its directory says. Refuses absolute names, .., names
// of more than 1,024 bytes or 64 folders, links that leave the folder, devices, encrypted and
// overlapping members, a zip whose headers disagree, what is packed twice, what is no file and has
// a size, an archive without a file, more than 200,000 entries, files and folders, more than 200
// times the archive's size (64 MiB always) and more bytes than the file system has free; of a zip
// before a byte is written. Whatever it throws, `folder` is gone then: Error{integrity | io |
// interrupted}. The caller gives a fresh folder and renames what came.
std::vector<UnpackedFile> unpack(const std::filesystem::path& archive,
                                 const std::filesystem::path& folder, DotNames dot_names,
                                 std::stop_token stop);

}  // namespace podctl::download
