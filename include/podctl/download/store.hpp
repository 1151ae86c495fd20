#pragma once

#include "podctl/base/beneath.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/lease.hpp"
#include "podctl/download/download.hpp"
#include "podctl/download/place.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

// Models by their digests in one folder, from which several roots, of several pods, have them by
// links, so that each is fetched and kept once (docs/store.md).
//
//   sha256/ab/abcd…            the file, read-only
//   index/abcd…/stamp          how it looked when its bytes were last seen to be right
//   index/abcd…/*.place        where it was linked to, a small file for each place
//   partial/abcd….part         what is under way
//   damaged/                   what was found to be something else than its name says
//   removed/                   what `store prune` is about to remove
//
// Nothing here is a lock: every file appears by one system call, whole, and what a kill leaves out
// is made up for. Without its stamp a file is hashed once more.
namespace podctl::download {

struct StoredFile {
    std::string sha256 = {};
    std::uint64_t size = 0;
};

// Who has links into a store. A store may be on a volume that other machines see, where a path is
// another one's: so whoever looks later has to know whether it is at the same path that he looks.
struct StoreUser {
    // A file that lies with the links, and what it holds: where it says something else, the links
    // are not to be seen. Empty: `id` is a machine's name.
    std::filesystem::path mark = {};
    std::string id = {};

    friend bool operator==(const StoreUser&, const StoreUser&) = default;
};
// Of links that lie somewhere on this machine.
StoreUser this_machine();

// What a file of a store is for a root: the same file under another name, another file that shares
// its blocks, a name for its path, or a second one.
enum class LinkKind { hard_link, reflink, symbolic_link, copy };
const char* to_string(LinkKind kind);  // "hard link", "reflink", "symbolic link", "copy"

// Thread-safe, and several processes may use one folder.
class Store {
public:
    // Opens the folder, or makes it, and holds on to the very one. Throws Error{conflict} where
    // users besides this one and root may write, since a model may be no more than its owner lets
    // it be; Error{not_found} where it is not there and not to be made; Error{io}.
    Store(const std::filesystem::path& folder, Missing missing);

    const std::filesystem::path& path() const { return path_; }
    // False: this user can only read it, from a volume that is mounted so, or another user's.
    bool is_writable() const { return is_writable_; }
    // Throws Error{integrity} for what is no digest, since it becomes a file's name.
    std::filesystem::path path_of(const std::string& sha256) const;

    // A cheap look, which changes nothing and reads none of the file's bytes. Throws Error{io}.
    struct Sight {
        std::uint64_t size = 0;
        bool is_as_stamped = false;  // else it is going to be hashed before it is linked
    };
    std::optional<Sight> look_at(const std::string& sha256) const;

    // What is believed of a file's bytes: that they are those that were hashed, as long as size and
    // time say so; or nothing.
    enum class Trust { by_stamp, nothing };
    struct Seen {
        std::optional<StoredFile> file = {};  // absent: there is none that may be used
        std::string fault = {};               // why not; empty: nothing is there
    };
    // The file, its bytes seen to be right now or earlier. A fault goes behind the file's path.
    // Throws Error{io | interrupted}.
    Seen see(const std::string& sha256, Trust trust, const std::stop_token& stop) const;
    // The same for who wants it: what is something else than its name says, or may be written by
    // others, is moved to damaged/ where that can be done. A fault is a sentence.
    Seen find(const std::string& sha256, Trust trust, const std::stop_token& stop) const;

    // Gives the file the name `target`, at once and in place of a file that stands there, in the
    // way that costs least. Makes the folders that lack. nullopt: the file has gone meanwhile.
    // Throws Error{conflict} for a link of somebody else's on the way, Error{integrity} where the
    // bytes that were copied are others, Error{io | interrupted}.
    struct Linked {
        LinkKind kind = LinkKind::copy;
        FileIdentity file = {};  // that has the name now, or that its link leads to
    };
    std::optional<Linked> link(const StoredFile& file, const std::filesystem::path& target,
                               const StoreUser& user, const std::stop_token& stop) const;

    // A file that was just verified.
    struct Verified {
        std::filesystem::path path = {};
        std::string sha256 = {};
        FileIdentity identity = {};  // which one it is
        std::string name = {};       // what people know it by
    };
    // Takes it in, from anywhere, and removes its name there. Where its digest is in the store
    // already, that one stays. Throws Error{integrity} where it is not the one that was verified,
    // Error{io | interrupted}.
    StoredFile take(const Verified& file, const std::stop_token& stop) const;

    // Takes in a file that stands in its place, by a hard link, and only so: what has this stamp is
    // believed to have this digest. False: nothing was done, since the store has it or lies on
    // another file system, or the file is not this user's, or not as it was. Throws Error{io}.
    bool adopt(const std::filesystem::path& place, const std::string& sha256,
               const FileStamp& stamp, const StoreUser& user) const;

    // Where the bytes of a file gather until they are verified.
    std::filesystem::path partial_of(const std::string& sha256) const;
    // One at a time brings a file. Blocks while somebody else does; `on_wait` is told. Throws
    // Error{interrupted | io}.
    std::unique_ptr<Lease> turn(const std::string& sha256, const Lease::OnWait& on_wait,
                                const std::stop_token& stop) const;

    // Whether `place` is a symbolic link to where a file of this store is or was.
    bool has_link_at(const std::filesystem::path& place) const;

    // Moves a file that is not what its name says to damaged/, and says where it is now. nullopt:
    // it cannot be moved.
    enum class Aside { damaged, to_be_removed };
    std::optional<std::filesystem::path> set_aside(const std::string& sha256,
                                                   Aside why = Aside::damaged) const;

private:
    std::filesystem::path path_;
    bool is_writable_ = false;
};

// How a file comes through a store, for all who bring files.
struct StoreRequest {
    // `sha256` is known, or nobody could find the file. `partial` is the store's own to say.
    DownloadRequest download = {};
    std::filesystem::path place = {};  // where it is going to be linked to
    Admission admission = {};
    Store::Trust trust = Store::Trust::by_stamp;
    // Called before the first byte is asked for. What it throws ends it.
    std::function<void()> before_download = {};
    Lease::OnWait on_wait = {};
    std::function<void(const std::string&)> on_notice = {};
};
struct StoreResult {
    StoredFile file = {};
    std::uint64_t received = 0;  // bytes that crossed the network
};
// The file in the store: it was there, or somebody else has brought it meanwhile, or it is brought
// now. It may come to its place as far as its content is concerned. Throws what
// Downloader::download() throws, and refuse_by_content(). nullopt: it is not there, and this user
// cannot bring it there.
std::optional<StoreResult> bring_into_store(const Store& store, const StoreRequest& request,
                                            Downloader& downloader, const DownloadMonitor& monitor,
                                            const std::stop_token& stop);

}  // namespace podctl::download
