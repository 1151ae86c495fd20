#pragma once

#include "file_bytes.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace podctl::download {

struct ZipMember {
    std::string name = {};
    std::uint64_t packed = 0, size = 0;  // bytes, as the directory claims
    std::uint64_t offset = 0;            // of its local header, in the file
    std::uint64_t method = 0;
    bool encrypted = false;
};

struct ZipDirectory {
    std::vector<ZipMember> members = {};
    std::uint64_t begin = 0;  // of the directory, in the file
    std::uint64_t count = 0;  // as its end says; may be more than `members`, which are bounded
    // Why readers may see another directory, or other members in it; empty: they do not.
    std::string fault = {};
};

// By the mark of a first member, of an empty zip or of one in several parts.
bool begins_as_zip(const FileBytes& file);

// The directory at a file's end, which is where zip readers look, whatever the file begins with
// (APPNOTE.TXT 4.3.16, zip64 too). nullopt: there is none. Throws Error{io}.
std::optional<ZipDirectory> read_zip_directory(const FileBytes& file, std::size_t max_members);

// Why one reader may unpack other bytes or names than another, of a directory that was read whole:
// its own fault, members that overlap or reach into the directory (one of a bomb's tricks), a local
// header that disagrees with the directory. Empty: nothing. Throws Error{io}.
std::string zip_fault(const FileBytes& file, const ZipDirectory& directory);

// Calls the members of a directory in the order of their places, as another reader of the same zip
// gives them.
class ZipRollCall {
public:
    explicit ZipRollCall(const ZipDirectory& directory);

    // The member that is next, of that size; nullopt: it is no file, and its size nobody's matter.
    // nullptr: it is not the one.
    const ZipMember* came(std::optional<std::uint64_t> size);
    bool is_complete() const { return next_ == members_.size(); }

private:
    std::vector<ZipMember> members_;
    std::size_t next_ = 0;
};

}  // namespace podctl::download
