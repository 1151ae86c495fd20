#pragma once

#include "session.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace podctl::git {

// What a commit has in place of a file that Git LFS keeps elsewhere.
struct LfsPointer {
    std::string sha256;
    std::uint64_t size = 0;  // bytes
};

// nullopt: `blob` is no pointer, or one with an extension, whose digest is not the file's.
std::optional<LfsPointer> read_lfs_pointer(std::string_view blob);

// Whether what stands at `file` is the content that `git lfs pull` puts in the pointer's place. It
// is read only where it has the pointer's size. Throws Error{io}.
bool is_content_of(const LfsPointer& pointer, const std::filesystem::path& file);

// Names the files of a checkout whose content Git LFS keeps elsewhere: they came as pointers of
// three lines, which break later and far away.
void tell_about_lfs(const Session& session, git_repository* repository, const std::string& shown);

}  // namespace podctl::git
