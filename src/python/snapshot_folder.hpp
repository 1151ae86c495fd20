#pragma once

#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <string>
#include <string_view>

namespace podctl::python {

struct MemberStatus {
    unsigned mode = 0;  // permission bits
    timespec mtime{};
};

// The folder that an archive is unpacked into, and nothing beside it: every step down from it
// follows no link, so that not even a link of the archive's own leads out. One for each thread.
class MemberFolder {
public:
    // What a member cannot be made of is an error of the archive `source`.
    MemberFolder(const std::filesystem::path& root, std::filesystem::path source, unsigned umask);

    // Missing folders on the way are made. A second member of one name is refused. Throw
    // Error{integrity}, Error{io}.
    void add_folder(const std::string& name);
    void add_link(const std::string& name, const std::string& target, const MemberStatus& status);
    Fd create_file(const std::string& name, const MemberStatus& status);
    void write(const Fd& file, std::string_view bytes, const std::string& name) const;
    // When nothing more is written to it.
    void set_time(const Fd& file, const MemberStatus& status, const std::string& name) const;
    // Of a folder, when nothing more is made in it.
    void set_status(const std::string& name, const MemberStatus& status);

    // Throws Error{integrity} for a name that no environment's member has.
    void check(const std::string& name) const;

private:
    // The member's folder, and its own name.
    struct Target {
        int folder = -1;
        std::string name;
    };
    Target parent_of(const std::string& name);
    Fd enter(int folder, const std::string& part, const std::string& name) const;
    [[noreturn]] void fail(const std::string& name, int error_number) const;
    [[noreturn]] void refuse(const std::string& name, const std::string& what) const;

    std::filesystem::path path_;
    std::filesystem::path source_;
    unsigned umask_;
    Fd root_;
    // The folder of the member before: its neighbours come next.
    std::string last_;
    Fd last_folder_;
};

}  // namespace podctl::python
