#pragma once

#include "handles.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace podctl::git {

// A note in .git that an update is under way. A killed update leaves files of the new commit beside
// those of the old one; by the note the next run knows them for its own rather than the user's
// changes.
class PendingUpdate {
public:
    explicit PendingUpdate(git_repository* repository);

    // The commits of which files may stand in the work tree: those to which killed updates were
    // moving it.
    std::vector<std::string> commits() const;
    // Whether an update was killed, in its fetch or later.
    bool exists() const;
    // Removes the locks that the killed update left.
    void remove_stale_locks() const;

    void begin();
    void moving_to(const std::string& commit);
    void done();

private:
    std::filesystem::path gitdir_;
    std::filesystem::path note_;
};

// The note of an update that is under way. It goes away with an error that came before any file was
// touched, and stays with one that came later.
class UpdateNote {
public:
    // Removes the locks that a killed update left.
    explicit UpdateNote(git_repository* repository);
    UpdateNote(const UpdateNote&) = delete;
    UpdateNote& operator=(const UpdateNote&) = delete;
    ~UpdateNote();

    void moving_to(const std::string& commit);
    void take_back();
    void done();

private:
    PendingUpdate pending_;
    std::vector<std::string> before_;
    bool touched_;
};

// Whether the file is what a whole checkout of `revision` leaves at that path, nothing included, or
// the content that its pointer of Git LFS names.
bool is_as_checked_out(git_repository* repository, const std::string& revision,
                       const std::string& path);

// Whether the file is what a killed checkout of one of the commits leaves: nothing, all of the new
// content, or its beginning; or what its pointer of Git LFS names.
bool is_left_by_killed_checkout(git_repository* repository, const std::vector<std::string>& commits,
                                const std::string& path);

}  // namespace podctl::git
