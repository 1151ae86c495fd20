#pragma once

#include "podctl/base/fd.hpp"

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>

// Opens, makes and names files where other users may write too. Between a look at a path and its
// use a tenant of the volume can put a link in the place of any folder on the way, and what podctl
// writes then lands wherever the link leads. So a path is walked once, folder by folder, each by
// the descriptor of the one before; openat2(2) does it in one call where no link is on the way.
//
// A link on the way is followed only when it is the user's own: it belongs to this user or to root
// (under sudo also to who called it), and nobody else may put another in its place, as the kernel's
// protected_symlinks has it for sticky folders. All others are an error that names the link and its
// owner. What podctl itself has written belongs to this user, too, and need not be his will: so a
// judge is asked besides.
namespace podctl {

// Everything under `folder` is opened from this very folder on from now on, whatever comes to stand
// at its path later. Links on the way to it are followed as any program follows them: to name a
// folder is the user's word. Of two that lie in each other the inner one counts; one that was
// removed counts no more. No folder there is fine. Throws Error{io}.
void anchor(const std::filesystem::path& folder);
// The same of a folder that is open already (O_PATH is enough).
void anchor(const std::filesystem::path& folder, Fd opened);

enum class Missing { fail, make };  // folders on the way

// The folder at `path`, opened with O_PATH. Invalid, with errno, when it cannot be had. Folders
// that are made get 0755 less the umask. Throws Error{conflict} for a link that is not followed.
Fd open_folder_beneath(const std::filesystem::path& path, Missing missing);

// The same, of a folder that must be there and whose parent is open as `parent`: whoever looks at
// each folder of a way opens each from the one before.
Fd open_folder_beneath(const std::filesystem::path& path, const Fd& parent);

// Where a file is or shall be: its folder, and its name there. An invalid folder, with errno, when
// it cannot be had. Throws as open_folder_beneath().
struct Place {
    Fd folder;
    std::string name;
};
Place place_beneath(const std::filesystem::path& path, Missing missing);

// open(2) with O_CLOEXEC and O_NOFOLLOW, in a folder that must be there. Throws as
// open_folder_beneath().
Fd open_beneath(const std::filesystem::path& path, int flags, mode_t mode = 0);

// A path that leads to `name` in the open `folder` whatever its own path leads to: for libraries
// that take nothing but paths. Good while `folder` is open.
std::filesystem::path path_through(const Fd& folder, const std::string& name);

// Opens the same file once more, with other flags. Invalid, with errno, when it cannot be had.
Fd reopen(const Fd& file, int flags);

// The permissions that this process takes from what it makes (umask(2), which can only be read by
// setting it, for all threads).
mode_t current_umask();

// Says why the link at `link`, which is the user's own by its owner, is not to be followed, in
// words that go behind its path. Empty: it may be. `top` is the anchor that it is under; "/": none.
using LinkJudge =
    std::function<std::string(const std::filesystem::path& link, const std::filesystem::path& top)>;
// Asked from now on about every link that would be followed, by any thread. May throw.
void judge_links_by(LinkJudge judge);

// Throws Error{conflict} when a link on the way to `path`, itself included, is not the user's own.
// What is not there is fine.
void refuse_foreign_links(const std::filesystem::path& path);

}  // namespace podctl
