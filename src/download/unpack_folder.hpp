#pragma once

#include "podctl/base/fd.hpp"
#include "podctl/download/archive.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace podctl::download {

// Of what an archive lists, and of files and folders that it makes.
inline constexpr std::size_t max_archive_entries = 200'000;

std::string join(const std::vector<std::string>& parts);

// The folder that an archive may write to, and nothing beside it: every step down is an openat()
// that follows no link, so that not even a link which the archive brought leads out.
class UnpackFolder {
public:
    UnpackFolder(const std::filesystem::path& path, DotNames dot_names);

    // The parts of a name, . left out. Throws Error{integrity} for an absolute one, .., control
    // characters, one that is longer or deeper than files are named (1,024 bytes, 64 folders), and
    // hidden ones where they are refused.
    std::vector<std::string> checked_parts(const std::string& name) const;

    void add_folder(const std::vector<std::string>& parts);
    // A second file of the same name replaces the first, as tar does.
    Fd create_file(const std::vector<std::string>& parts, unsigned mode);
    // Only a relative target that stays in the folder.
    void add_symlink(const std::vector<std::string>& parts, const std::string& target);
    // Only to a file that came before.
    void add_hard_link(const std::vector<std::string>& parts,
                       const std::vector<std::string>& target);

    // Of a file that was written.
    void set_size(const std::vector<std::string>& parts, std::uint64_t size);

    void sync();
    // The regular files that stand there now, in the order of their names.
    std::vector<UnpackedFile> files() const;

private:
    void count_made();
    Fd open_parent(const std::vector<std::string>& parts);
    void clear_place(int parent, const std::vector<std::string>& parts);
    std::string place_of(const std::vector<std::string>& parts) const;

    std::filesystem::path path_;
    DotNames dot_names_;
    Fd root_;
    std::map<std::string, std::uint64_t> files_;  // the regular ones, with their sizes
    std::size_t made_ = 0;
};

}  // namespace podctl::download
