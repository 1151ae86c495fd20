#pragma once

#include "file_bytes.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace podctl::fetch {

struct ZipMember {
    std::string name = {};
    std::uint64_t packed = 0, size = 0;  // bytes, as the directory claims
    std::uint64_t offset = 0;            // of its local header, in the file
    bool encrypted = false;
};

struct ZipDirectory {
    std::vector<ZipMember> members = {};
    std::uint64_t begin = 0;  // of the directory, in the file
    std::uint64_t count = 0;  // as its end says; may be more than `members`, which are bounded
};

// The directory at a file's end, which is where zip readers look, whatever the file begins with
// (APPNOTE.TXT 4.3.16, zip64 too). nullopt: there is none. Throws Error{io}.
std::optional<ZipDirectory> read_zip_directory(const FileBytes& file, std::size_t max_members);

// Two members share bytes of the file, or reach into its directory: one of a bomb's tricks.
bool has_overlaps(ZipDirectory directory);

}  // namespace podctl::fetch
