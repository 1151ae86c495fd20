#include "podctl/base/error.hpp"
#include "podctl/base/trust.hpp"
#include "podctl/download/store.hpp"

#include "store_files.hpp"
#include "store_index.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace podctl::download {
namespace {

namespace fs = std::filesystem;

// A hard link costs nothing and cannot lead anywhere else. A reflink costs nothing, too, and is for
// where the file is another user's; a symbolic link for a store on another file system.
class Linking {
public:
    Linking(const Store& store, const StoredFile& file, const fs::path& target,
            const StoreUser& user, const std::stop_token& stop)
        : store_(store), file_(file), target_(normal_path(target)), user_(user), stop_(stop) {
        create_folders(target_.parent_path());
        place_ = place_beneath(target_, Missing::fail);
        if (!place_.folder)
            throw system_error("cannot open " + target_.parent_path().string(), errno);
    }

    std::optional<Store::Linked> make(const OpenedFile& opened) {
        const NewName name{place_};
        const int file = opened.file.get();
        const auto identity = identity_of(opened.status);
        if (add_name(file, name.folder(), name.c_str()))
            return finish(name, {LinkKind::hard_link, identity});
        if (errno == ENOENT) return std::nullopt;  // it has lost its last name
        if (!is_no_link(errno)) throw system_error("cannot link " + target_.string(), errno);
        if (const auto made = share_blocks(file, name, target_))
            return finish(name, {LinkKind::reflink, *made});
        if (make_symbolic(name)) return finish_symbolic(name, identity);
        const auto made =
            copy_file(file, name, 0644u & ~current_umask(), file_.sha256, target_, stop_);
        return finish(name, {LinkKind::copy, made});
    }

private:
    // Where others may put another link in its place it would not be followed.
    bool make_symbolic(const NewName& name) const {
        if (others_may_replace_in(name.folder())) return false;
        return ::symlinkat(store_.path_of(file_.sha256).c_str(), name.folder(), name.c_str()) == 0;
    }

    void note(LinkKind kind) const {
        write_place(store_.path(), file_.sha256, {.path = target_, .kind = kind, .user = user_});
    }

    // The file goes on without its store, so what is noted is for people.
    Store::Linked finish(const NewName& name, const Store::Linked& linked) const {
        name.give(target_);
        try {
            if (store_.is_writable()) note(linked.kind);
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::io) throw;
        }
        return linked;
    }

    // `store prune` looks at the notes again once it has taken a file away: so the note comes
    // first, and afterwards the file is still there.
    std::optional<Store::Linked> finish_symbolic(const NewName& name,
                                                 const FileIdentity& identity) const {
        if (store_.is_writable()) note(LinkKind::symbolic_link);
        name.give(target_);
        struct stat status {};
        if (::fstatat(name.folder(), place_.name.c_str(), &status, 0) == 0)
            return Store::Linked{LinkKind::symbolic_link, identity};
        ::unlinkat(name.folder(), place_.name.c_str(), 0);
        return std::nullopt;
    }

    const Store& store_;
    const StoredFile& file_;
    const fs::path target_;
    const StoreUser& user_;
    const std::stop_token& stop_;
    Place place_;
};

}  // namespace

std::optional<Store::Linked> Store::link(const StoredFile& file, const fs::path& target,
                                         const StoreUser& user, const std::stop_token& stop) const {
    const auto opened = open_stored(*this, file.sha256);
    if (!opened.file || opened.size() != file.size) return std::nullopt;
    return Linking{*this, file, target, user, stop}.make(opened);
}

}  // namespace podctl::download
