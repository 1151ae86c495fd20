#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

// Files of a copy of ComfyUI's code, and how they are told to be the checkout's.
namespace podctl::comfy {

// What each name of a folder is (lstat). No folder there: none. Throws Error{io}.
std::map<std::string, struct stat> entries_of(const std::filesystem::path& folder);

// Where Python keeps what it has compiled of the files of a folder (PEP 3147).
constexpr std::string_view bytecode_folder = "__pycache__";
bool is_bytecode_folder(const std::filesystem::path& folder);

// Of two regular files: same size, and the same time to the nanosecond.
bool is_same_file(const struct stat& one, const struct stat& other);
// Of bytecode, which says by itself which source it is of: in whole seconds, as volumes have them.
bool is_newer(const struct stat& one, const struct stat& other);

// Writes `to` with the content, permissions and time of `from`; what stands there is removed. The
// time comes last, so that a file that was not written whole is not the same. Throws Error{io}.
void copy_with_time(const std::filesystem::path& from, const std::filesystem::path& to);

// Makes `link` a link to `target`, whatever stands there. False: it is one. Throws Error{io}.
bool make_link(const std::filesystem::path& link, const std::filesystem::path& target);

}  // namespace podctl::comfy
