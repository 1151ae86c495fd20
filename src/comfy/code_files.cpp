#include "code_files.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/file.hpp"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <vector>

namespace podctl::comfy {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t block_of_copy = 256u << 10;

}  // namespace

std::map<std::string, struct stat> entries_of(const fs::path& folder) {
    std::map<std::string, struct stat> entries;
    std::error_code failed;
    for (fs::directory_iterator it{folder, failed}, end; !failed && it != end;
         it.increment(failed)) {
        struct stat status {};
        if (::lstat(it->path().c_str(), &status) == 0)
            entries.emplace(it->path().filename().string(), status);
        else if (errno != ENOENT)
            throw system_error("cannot look at " + it->path().string(), errno);
    }
    if (failed && failed != std::errc::no_such_file_or_directory)
        throw system_error("cannot read " + folder.string(), failed.value());
    return entries;
}

bool is_bytecode_folder(const fs::path& folder) {
    return folder.filename() == bytecode_folder;
}

bool is_same_file(const struct stat& one, const struct stat& other) {
    return S_ISREG(one.st_mode) && S_ISREG(other.st_mode) && one.st_size == other.st_size &&
           one.st_mtim.tv_sec == other.st_mtim.tv_sec &&
           one.st_mtim.tv_nsec == other.st_mtim.tv_nsec;
}

bool is_newer(const struct stat& one, const struct stat& other) {
    return one.st_mtim.tv_sec > other.st_mtim.tv_sec;
}

void copy_with_time(const fs::path& from, const fs::path& to) {
    const Fd source = open_regular_file(from);
    struct stat status {};
    if (::fstat(source.get(), &status) != 0)
        throw system_error("cannot look at " + from.string(), errno);
    remove_tree(to);
    const Fd copy{::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                         status.st_mode & 0777u)};
    if (!copy) throw system_error("cannot create " + to.string(), errno);
    std::vector<char> block(block_of_copy);
    for (std::uint64_t at = 0; const auto size = read_at(source.get(), at, block, from); at += size)
        write_all(copy.get(), {block.data(), size}, to);
    const std::array<timespec, 2> times{status.st_atim, status.st_mtim};
    if (::futimens(copy.get(), times.data()) != 0)
        throw system_error("cannot set the times of " + to.string(), errno);
}

bool make_link(const fs::path& link, const fs::path& target) {
    std::error_code failed;
    if (fs::read_symlink(link, failed) == target && !failed) return false;
    remove_tree(link);
    fs::create_symlink(target, link, failed);
    if (failed) throw system_error("cannot make the link " + link.string(), failed.value());
    return true;
}

}  // namespace podctl::comfy
