#include "lfs.hpp"

#include "podctl/base/fd.hpp"
#include "podctl/base/shorten.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string_view>
#include <vector>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_pointers_named = 5;

// https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md: the first line, and what a pointer's
// size is below.
constexpr std::string_view pointer_start = "version https://git-lfs.github.com/spec/";
constexpr std::uint32_t largest_pointer = 1024;

bool is_pointer(const fs::path& file) {
    std::error_code failed;
    if (!fs::is_regular_file(fs::symlink_status(file, failed))) return false;
    const Fd opened{::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    if (!opened) return false;  // what cannot be read is nobody's pointer
    std::array<char, pointer_start.size()> start{};
    const auto size = ::pread(opened.get(), start.data(), start.size(), 0);
    return size == static_cast<ssize_t>(start.size()) &&
           std::string_view{start.data(), start.size()} == pointer_start;
}

}  // namespace

void tell_about_lfs(const Session& session, git_repository* repository, const std::string& shown) {
    const fs::path workdir = git_repository_workdir(repository);
    const auto index = make<IndexHandle>(workdir.string(), git_repository_index, repository);
    std::vector<std::string> pointers;
    for (std::size_t i = 0; i < git_index_entrycount(index.get()); ++i) {
        const git_index_entry& entry = *git_index_get_byindex(index.get(), i);
        if (entry.mode == GIT_FILEMODE_COMMIT || entry.file_size > largest_pointer ||
            entry.file_size < pointer_start.size())
            continue;
        if (is_pointer(workdir / entry.path)) pointers.emplace_back(entry.path);
    }
    if (pointers.empty()) return;
    session.notice(fmt::format("{}: keeps files in Git LFS, which are here as pointers only: {}",
                               shown, list_first(pointers, most_pointers_named)));
}

}  // namespace podctl::git
