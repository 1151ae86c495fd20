#pragma once

#include "podctl/base/fd.hpp"

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

struct stat;  // of <sys/stat.h>

// A volume may have other tenants: users who can write to the same folders. What one of them wrote
// must not steer podctl, so state is trusted only when it is the user's own (docs/volumes.md).
//
// Some mounts keep no owners or no permissions (root squashing, many FUSE and CIFS mounts): every
// file there looks as if it were somebody else's, or open to everybody. A new file tells: what
// podctl makes there now looks like what it made before. It is asked only where a file looks wrong.
namespace podctl {

// A group with the user's own number is the user's own, as most distributions make them: it is not
// somebody else.
//
// Why the open `file` is not to be trusted as state, in words that go behind its name: "belongs to
// nobody (uid 65534)". Empty: it is a regular file with one name, belongs to this process's
// effective user, and neither its group nor others may write it. `folder` is open too (O_PATH is
// enough): the one that holds it.
std::string reason_to_distrust_file(int file, int folder);
// The same of a folder: what it holds can have been put there by its owner alone.
std::string reason_to_distrust_folder(int folder, int parent);

// A state file's content, read from the very file that was checked.
struct StateText {
    std::optional<std::string> text;  // absent: it is not there, or not to be trusted
    std::string distrust;             // why not; empty: it is trusted, or not there
};
// The file and the folder that it stands in are checked. A link is not followed, a pipe not waited
// for. Throws Error{io}.
StateText read_state_file(const std::filesystem::path& path);

// As read_state_file(), of a file that may stand in a folder where others may write too.
StateText read_own_file(const std::filesystem::path& path);

// As write_file_atomically(), for this user alone: 0600.
void write_state_file(const std::filesystem::path& path, std::string_view content);

// Whether the permissions let somebody besides the owner write. They say nothing on a mount that
// keeps none.
bool is_open_to_others(const struct stat& status);

// Whether a file of `owner` in the open `folder` is this process's own, with what the mount does to
// owners taken into account.
bool is_own(uid_t owner, int folder);
// The same, or root's; under sudo also the one who called it, as git has it (safe.directory).
bool is_trusted_owner(uid_t owner, int folder);

// Whether users besides its owner and root may put other things into the open `folder` in place of
// what is there. A sticky folder counts as safe when its owner is: nobody else may rename there.
// Who asks this has judged the owner of the thing itself, or knows the very thing.
bool others_may_replace_in(int folder);
// Whether they may put new things there, which the sticky bit does not keep them from. Whoever
// concludes from a folder alone that what is in it is nobody else's asks this.
bool others_may_add_in(int folder);

// Whether what stands at `path` itself (a link is not followed) belongs to such an owner; nothing
// there does.
bool has_trusted_owner(const std::filesystem::path& path);

// Whether the open `link` in the open `folder` is the user's own: nobody else has made it, or may
// put another in its place.
bool is_own_link(int link, int folder);

// Whether new files in the open `folder` belong to this process and keep their permissions. False:
// there everybody is as this user is.
bool keeps_owners(int folder);

// "nobody (uid 65534)", "uid 1234".
std::string user_name(uid_t user);

}  // namespace podctl
