#include "pending_update.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/git/git.hpp"

#include "lfs.hpp"
#include "library.hpp"

#include <algorithm>
#include <optional>
#include <system_error>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

bool stands_there(const fs::path& path) {
    std::error_code failed;
    return fs::exists(fs::symlink_status(path, failed));
}

// What stands there now, as git would store it, and one byte more than `most` of it at most: the
// file may be a model of any size.
std::string work_content(const fs::path& path, std::size_t most) {
    std::error_code error;
    const auto status = fs::symlink_status(path, error);
    if (fs::is_symlink(status)) return fs::read_symlink(path).string();
    // A folder or device can only be somebody else's: no blob is a prefix of this.
    if (!fs::is_regular_file(status)) return std::string("\0", 1);
    std::string content(std::min<std::uintmax_t>(fs::file_size(path), most + 1), '\0');
    content.resize(read_at(open_regular_file(path).get(), 0, content, path));
    return content;
}

// What commits have at a path, and what a checkout makes of it.
struct CommittedFile {
    std::string content;  // as a checkout writes it: its line ends may be others than the blob's
    std::optional<LfsPointer> pointer = {};  // what the blob is
};

// nullopt: that commit has no such file.
std::optional<CommittedFile> committed_file(git_repository* repository, const std::string& revision,
                                            const std::string& path) {
    git_object* raw = nullptr;
    const int code = git_revparse_single(&raw, repository, (revision + ":" + path).c_str());
    const ObjectHandle object{raw};
    if (code < 0 || git_object_type(object.get()) != GIT_OBJECT_BLOB) return std::nullopt;
    auto* blob = reinterpret_cast<git_blob*>(object.get());
    git_blob_filter_options options = GIT_BLOB_FILTER_OPTIONS_INIT;
    options.flags = 0;  // not what it leaves out by default: a checkout filters binary files, too
    git_buf filtered = GIT_BUF_INIT;
    check(git_blob_filter(&filtered, blob, path.c_str(), &options), path);
    CommittedFile file{.content = {filtered.ptr, filtered.size}};
    git_buf_dispose(&filtered);
    file.pointer = read_lfs_pointer({static_cast<const char*>(git_blob_rawcontent(blob)),
                                     static_cast<std::size_t>(git_blob_rawsize(blob))});
    return file;
}

bool is_whole(const fs::path& path, const CommittedFile& file) {
    return work_content(path, file.content.size()) == file.content;
}

bool is_beginning(const fs::path& path, const CommittedFile& file) {
    return file.content.starts_with(work_content(path, file.content.size()));
}

// Where Git LFS, or somebody for it, has put the content in a pointer's place. To write over that
// loses nothing of the user's: it is what the commit names, byte for byte, and `git lfs pull` has
// it from its store again.
bool is_pulled(const fs::path& path, const CommittedFile& file) {
    return file.pointer && is_content_of(*file.pointer, path);
}

}  // namespace

bool is_update_pending(const fs::path& checkout) {
    const auto note = read_file_if_exists(checkout / ".git" / "podctl-update");
    return note && !trim(*note).empty();
}

PendingUpdate::PendingUpdate(git_repository* repository)
    : gitdir_(git_repository_path(repository)), note_(gitdir_ / "podctl-update") {}

std::vector<std::string> PendingUpdate::commits() const {
    std::vector<std::string> commits;
    for (const auto& line : split(read_file_if_exists(note_).value_or(""), '\n'))
        if (!trim(line).empty()) commits.emplace_back(trim(line));
    return commits;
}

bool PendingUpdate::exists() const {
    std::error_code ignored;
    return fs::exists(note_, ignored);
}

void PendingUpdate::remove_stale_locks() const {
    std::vector<fs::path> locks;
    std::error_code error;
    for (auto entry = fs::recursive_directory_iterator(gitdir_, error);
         !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
        const auto name = entry->path().filename();
        // Objects are many and have no locks; a submodule's repository has a note of its own.
        if (entry.depth() == 0 && (name == "objects" || name == "modules"))
            entry.disable_recursion_pending();
        else if (name.extension() == ".lock" && entry->is_regular_file(error))
            locks.push_back(entry->path());
    }
    for (const auto& lock : locks)
        remove_tree(lock);
}

void PendingUpdate::begin() {
    write_file_atomically(note_, "");
}

void PendingUpdate::moving_to(const std::string& commit) {
    const auto before = read_file_if_exists(note_).value_or("");
    write_file_atomically(note_, before + commit + "\n");
}

void PendingUpdate::done() {
    remove_tree(note_);
}

UpdateNote::UpdateNote(git_repository* repository)
    : pending_(repository), before_(pending_.commits()), touched_(!before_.empty()) {
    if (pending_.exists())
        pending_.remove_stale_locks();
    else
        pending_.begin();
}

UpdateNote::~UpdateNote() {
    if (touched_) return;
    try {
        pending_.done();
    } catch (const Error&) {
        // The next update takes it for a killed one, which costs a look at the locks.
    }
}

void UpdateNote::moving_to(const std::string& commit) {
    pending_.moving_to(commit);
    touched_ = true;
}

void UpdateNote::take_back() {
    pending_.begin();
    for (const auto& commit : before_)
        pending_.moving_to(commit);
    touched_ = !before_.empty();
}

void UpdateNote::done() {
    pending_.done();
    touched_ = false;
}

bool is_as_checked_out(git_repository* repository, const std::string& revision,
                       const std::string& path) {
    const fs::path place = fs::path(git_repository_workdir(repository)) / path;
    const auto file = committed_file(repository, revision, path);
    if (!file || !stands_there(place)) return !file && !stands_there(place);
    return is_whole(place, *file) || is_pulled(place, *file);
}

bool is_left_by_killed_checkout(git_repository* repository, const std::vector<std::string>& commits,
                                const std::string& path) {
    if (commits.empty()) return false;
    const fs::path place = fs::path(git_repository_workdir(repository)) / path;
    if (!stands_there(place)) return true;
    return std::any_of(commits.begin(), commits.end(), [&](const std::string& commit) {
        const auto file = committed_file(repository, commit, path);
        return file && (is_beginning(place, *file) || is_pulled(place, *file));
    });
}

}  // namespace podctl::git
