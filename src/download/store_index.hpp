#pragma once

#include "podctl/base/file.hpp"
#include "podctl/download/store.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

// What a store notes of a file beside it. Each note is a small file that appears whole, so that
// several pods write at once and no torn line can be read. What is not there or cannot be read is
// as if it had never been written.
namespace podctl::download {

// Whether nobody but this user or root can have written what stands in the open `folder`.
bool may_be_believed(const struct stat& status, int folder);

// The folder of all notes, and of one file's.
std::filesystem::path notes_of(const std::filesystem::path& store);
std::filesystem::path notes_of(const std::filesystem::path& store, const std::string& sha256);

struct StoreStamp {
    FileStamp stamp = {};
    std::string name = {};  // under which it came first, for people; may be empty
};
std::optional<StoreStamp> read_stamp(const std::filesystem::path& store, const std::string& sha256);
// Throws Error{io}.
void write_stamp(const std::filesystem::path& store, const std::string& sha256,
                 const StoreStamp& stamp);

struct PlaceNote {
    std::filesystem::path path = {};  // absolute
    LinkKind kind = LinkKind::copy;
    StoreUser user = {};
    std::filesystem::path file = {};  // the note itself
    FileIdentity identity = {};       // which is another one once it was written again
};
// In the order of their paths.
std::vector<PlaceNote> read_places(const std::filesystem::path& store, const std::string& sha256);
// In place of what was noted of the same path of the same user. Throws Error{io}.
void write_place(const std::filesystem::path& store, const std::string& sha256,
                 const PlaceNote& note);

}  // namespace podctl::download
