#pragma once

#include "podctl/base/fd.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace podctl {

// What stat tells about a regular file, enough to see cheaply that it is the one that was there
// before.
struct FileStamp {
    std::uint64_t size = 0;
    std::int64_t mtime_ns = 0;

    friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

// The stamp of a regular file (links followed); nullopt: nothing there, or no regular file.
std::optional<FileStamp> file_stamp(const std::filesystem::path& path);

// The whole file. Throws Error{io}; Error{not_found} when it does not exist.
std::string read_file(const std::filesystem::path& path);
// What is left of stdin; of what is longer than `most` bytes at least one byte more, which says so.
// Throws Error{io}.
std::string read_stdin(std::size_t most);
// As read_file, nullopt when it does not exist. A pipe there is an error: nobody may ever write
// into it.
std::optional<std::string> read_file_if_exists(const std::filesystem::path& path);

// Opens a regular file for reading, links followed. Whatever else stands there by now, a pipe that
// would be waited for or a device without an end, is refused. Throws Error{io}.
Fd open_regular_file(const std::filesystem::path& path);

// A half-written file is worse than none, so the destructor discards; call commit().
// Writes go to a hidden file beside the final one; commit() syncs it, renames it and syncs the
// folder.
class AtomicFile {
public:
    // Creates the parent folders. Throws Error{io}.
    explicit AtomicFile(std::filesystem::path path);
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;
    ~AtomicFile();

    void write(std::string_view bytes);
    // Permission bits of the final file; 0644 unless told.
    void set_mode(unsigned mode);
    void commit();

private:
    std::filesystem::path path_;
    std::filesystem::path partial_;
    Fd fd_;
    bool committed_ = false;
};

// Removes what AtomicFiles left in `folder` whose process was killed: of the file `name`, or of
// any. To be called where nobody else writes there. No folder there is fine; throws Error{io}.
void remove_abandoned(const std::filesystem::path& folder, const std::string& name = {});

void write_file_atomically(const std::filesystem::path& path, std::string_view content);

// Writes all bytes, going on after short writes and EINTR. Throws Error{io} that names `path`.
void write_all(int fd, std::string_view bytes, const std::filesystem::path& path);

// Reads until the buffer is full or the file ends, from `offset` on: how many bytes came. Throws
// Error{io} that names `path`.
std::size_t read_at(int fd, std::uint64_t offset, std::span<char> buffer,
                    const std::filesystem::path& path);

// Makes a rename in `folder` durable. A file system that cannot sync folders is accepted.
void sync_folder(const std::filesystem::path& folder);

// mkdir -p. Throws Error{io}.
void create_folders(const std::filesystem::path& path);

// rename(2) that replaces a file, then syncs the target's folder. Throws Error{io}.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

// rm -rf without following links. Throws Error{io}; nothing there is fine.
void remove_tree(const std::filesystem::path& path);

// The path, made absolute, or the nearest folder above it that is there.
std::filesystem::path nearest_existing(std::filesystem::path path);

// Free bytes for an unprivileged user on the file system that holds `path` or its nearest parent.
std::uint64_t free_space(const std::filesystem::path& path);

// `path` made absolute, with . and .. and a slash at the end taken out. Lexical: links are not
// followed.
std::filesystem::path normal_path(const std::filesystem::path& path);

// True when `path`, with . and .. taken out, is `folder` or lies in it. Lexical: links are not
// followed.
bool is_inside(const std::filesystem::path& path, const std::filesystem::path& folder);

}  // namespace podctl
