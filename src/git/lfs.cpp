#include "lfs.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/shorten.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <system_error>
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

// What stands behind `key` and a blank in its line; empty: another key does.
std::string_view value_of(std::string_view line, std::string_view key) {
    return line.starts_with(key) ? line.substr(key.size()) : std::string_view{};
}

}  // namespace

std::optional<LfsPointer> read_lfs_pointer(std::string_view blob) {
    if (blob.size() > largest_pointer || !blob.starts_with(pointer_start)) return std::nullopt;
    const auto lines = split(blob, '\n');
    // The last is what stands behind the third's end.
    if (lines.size() != 4 || !lines[3].empty()) return std::nullopt;
    const auto sha256 = value_of(lines[1], "oid sha256:"), size = value_of(lines[2], "size ");
    LfsPointer pointer{.sha256 = std::string{sha256}};
    const char* const end = size.data() + size.size();
    const auto parsed = std::from_chars(size.data(), end, pointer.size);
    if (!is_sha256(sha256) || parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
    return pointer;
}

bool is_content_of(const LfsPointer& pointer, const fs::path& file) {
    std::error_code failed;
    if (!fs::is_regular_file(fs::symlink_status(file, failed))) return false;
    return fs::file_size(file, failed) == pointer.size && !failed &&
           sha256_file(file) == pointer.sha256;
}

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
