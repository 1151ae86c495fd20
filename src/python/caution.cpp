#include "podctl/python/python.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;

bool is_own(const struct stat& it) {
    return it.st_uid == 0 || it.st_uid == ::geteuid();
}

// A folder with the sticky bit, as /tmp, lets nobody replace what belongs to another. A group may
// write where root says so (/usr/local is root:staff on Debian), or where it is the user's own.
bool is_closed_to_others(const struct stat& it) {
    if (S_ISDIR(it.st_mode) && (it.st_mode & S_ISVTX) != 0) return true;
    if ((it.st_mode & S_IWOTH) != 0) return false;
    return (it.st_mode & S_IWGRP) == 0 || it.st_uid == 0 || it.st_gid == ::getegid();
}

bool lies_in(const fs::path& path, const fs::path& folder) {
    const auto [end, ignored] =
        std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
    return end == folder.end();
}

}  // namespace

bool is_trusted_program(const fs::path& program, const Caution& caution) {
    std::error_code failed;
    const fs::path named = fs::absolute(program).lexically_normal();
    const fs::path real = fs::canonical(named, failed);
    if (failed) return false;
    for (const fs::path& folder : caution.foreign) {
        const fs::path real_folder = fs::weakly_canonical(folder, failed);
        if (lies_in(named, folder) || lies_in(real, folder) || lies_in(real, real_folder))
            return false;
    }
    // The link's own folder decides what it names; that of the file, what it is.
    for (fs::path path : {real, fs::canonical(named.parent_path(), failed)}) {
        for (;; path = path.parent_path()) {
            struct stat it {};
            if (::stat(path.c_str(), &it) != 0 || !is_own(it) || !is_closed_to_others(it))
                return false;
            if (path == path.root_path()) break;
        }
    }
    return true;
}

}  // namespace podctl::python
