#pragma once

#include "podctl/base/beneath.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/download/store.hpp"

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>

// The files of a store as the file system has them, and how one gets another name.
namespace podctl::download {

// A file of the store, opened where nobody else can have exchanged it.
struct OpenedFile {
    Fd file = {};  // invalid: there is none to be used
    struct stat status = {};
    std::string fault = {};  // why not, in words that go behind its path; empty: nothing is there

    std::uint64_t size() const { return static_cast<std::uint64_t>(status.st_size); }
    FileStamp stamp() const;
};
FileIdentity identity_of(const struct stat& status);
OpenedFile open_stored(const Store& store, const std::string& sha256);

// A new name beside the final one, which is gone when its scope ends: what is made under it gets
// the final name by rename, at once.
class NewName {
public:
    // Throws Error{io}.
    explicit NewName(const Place& place);
    ~NewName();
    NewName(const NewName&) = delete;
    NewName& operator=(const NewName&) = delete;

    const char* c_str() const { return name_.c_str(); }
    int folder() const { return place_.folder.get(); }
    // The final name, in place of what has it. `shown`: for the error. Throws Error{io}.
    void give(const std::filesystem::path& shown) const;

private:
    const Place& place_;
    std::string name_;
};

// A second name for the very file that is open. False, with errno: not there, or not on this file
// system.
bool add_name(int file, int folder, const char* name);
// Whether errno of a link says that there can be none, as against that something is wrong.
bool is_no_link(int error_number);

// A file of its own that shares the blocks. nullopt: the file system cannot.
std::optional<FileIdentity> share_blocks(int file, const NewName& name,
                                         const std::filesystem::path& shown);
// A file of its own, with all bytes. Throws Error{integrity} when they are not those of the digest,
// Error{io | interrupted}.
FileIdentity copy_file(int file, const NewName& name, mode_t mode, const std::string& sha256,
                       const std::filesystem::path& shown, const std::stop_token& stop);

}  // namespace podctl::download
