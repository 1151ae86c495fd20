#include "pending_update.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/git/git.hpp"

#include "library.hpp"

#include <algorithm>
#include <optional>
#include <system_error>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

// What stands there now, as git would store it; nullopt: nothing.
std::optional<std::string> work_content(const fs::path& path) {
    std::error_code error;
    const auto status = fs::symlink_status(path, error);
    if (!fs::exists(status)) return std::nullopt;
    if (fs::is_symlink(status)) return fs::read_symlink(path).string();
    // A folder or device can only be somebody else's: no blob is a prefix of this.
    if (!fs::is_regular_file(status)) return std::string("\0", 1);
    return read_file_if_exists(path);
}

// What a checkout of `revision` writes for the file: its line ends may be others than the blob's.
// nullopt: that commit has no such file.
std::optional<std::string> checked_out_content(git_repository* repository,
                                               const std::string& revision,
                                               const std::string& path) {
    git_object* raw = nullptr;
    const int code = git_revparse_single(&raw, repository, (revision + ":" + path).c_str());
    const ObjectHandle object{raw};
    if (code < 0 || git_object_type(object.get()) != GIT_OBJECT_BLOB) return std::nullopt;
    git_blob_filter_options options = GIT_BLOB_FILTER_OPTIONS_INIT;
    options.flags = 0;  // not what it leaves out by default: a checkout filters binary files, too
    git_buf filtered = GIT_BUF_INIT;
    check(git_blob_filter(&filtered, reinterpret_cast<git_blob*>(object.get()), path.c_str(),
                          &options),
          path);
    std::string content{filtered.ptr, filtered.size};
    git_buf_dispose(&filtered);
    return content;
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
    return work_content(fs::path(git_repository_workdir(repository)) / path) ==
           checked_out_content(repository, revision, path);
}

bool is_left_by_killed_checkout(git_repository* repository, const std::vector<std::string>& commits,
                                const std::string& path) {
    if (commits.empty()) return false;
    const auto content = work_content(fs::path(git_repository_workdir(repository)) / path);
    if (!content) return true;
    return std::any_of(commits.begin(), commits.end(), [&](const std::string& commit) {
        const auto whole = checked_out_content(repository, commit, path);
        return whole && whole->starts_with(*content);
    });
}

}  // namespace podctl::git
