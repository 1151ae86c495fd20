#pragma once

#include "podctl/base/fd.hpp"

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace podctl::fetch {

std::string join(const std::vector<std::string>& parts);

// The folder that an archive may write to, and nothing beside it: every step down is an openat()
// that follows no link, so that not even a link which the archive brought leads out.
class UnpackFolder {
public:
    explicit UnpackFolder(const std::filesystem::path& path);

    // The parts of a name, . left out. Throws Error{integrity} for an absolute one, .. and control
    // characters.
    std::vector<std::string> checked_parts(const std::string& name) const;

    void add_folder(const std::vector<std::string>& parts);
    // A second file of the same name replaces the first, as tar does.
    Fd create_file(const std::vector<std::string>& parts, unsigned mode);
    // Only a relative target that stays in the folder.
    void add_symlink(const std::vector<std::string>& parts, const std::string& target);
    // Only to a file that came before.
    void add_hard_link(const std::vector<std::string>& parts,
                       const std::vector<std::string>& target);

    void sync();

private:
    Fd open_parent(const std::vector<std::string>& parts) const;
    void clear_place(int parent, const std::vector<std::string>& parts);

    std::filesystem::path path_;
    Fd root_;
    std::set<std::string> files_;  // the regular ones
};

}  // namespace podctl::fetch
