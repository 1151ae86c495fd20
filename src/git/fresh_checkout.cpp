#include "fresh_checkout.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/thread.hpp"

#include "contact.hpp"
#include "plain_tree.hpp"
#include "worktree.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <set>
#include <vector>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

// What waits is a server, not a processor; for fewer files a thread's own look at the repository
// costs more than it brings.
constexpr std::size_t most_writers = 16, files_of_writer = 32;

class FreshCheckout {
public:
    FreshCheckout(Session& session, git_repository* repository, const std::string& commit)
        : session_(session),
          repository_(repository),
          commit_(commit),
          where_(git_repository_workdir(repository)),
          folder_(where_),
          index_(make<IndexHandle>(where_, git_index_new)) {
        check(git_index_read_tree(index_.get(), tree_of(repository, commit).get()), where_);
        stats_.resize(git_index_entrycount(index_.get()));
    }

    void run() {
        make_folders();
        // What they say decides what is written of the others.
        write_alone([](const git_index_entry& entry) { return is_attributes(entry); });
        write_files();
        // Last, so that no file is written through one, whatever the tree says.
        write_alone([](const git_index_entry& entry) { return !is_file(entry); });
        write_index();
    }

private:
    static bool is_file(const git_index_entry& entry) {
        return entry.mode == GIT_FILEMODE_BLOB || entry.mode == GIT_FILEMODE_BLOB_EXECUTABLE;
    }
    static bool is_attributes(const git_index_entry& entry) {
        return is_file(entry) &&
               to_lower(fs::path{entry.path}.filename().string()) == ".gitattributes";
    }
    const git_index_entry& entry(std::size_t at) const {
        return *git_index_get_byindex(index_.get(), at);
    }

    // Those of files; each behind the one that it lies in.
    void make_folders() {
        std::set<fs::path> folders;
        for (std::size_t i = 0; i < stats_.size(); ++i)
            for (auto folder = fs::path{entry(i).path}.parent_path(); !folder.empty();
                 folder = folder.parent_path())
                if (!folders.insert(folder).second) break;
        for (const auto& folder : folders) {
            session_.stop_if_requested(where_);
            if (::mkdir((folder_ / folder).c_str(), 0777) != 0 && errno != EEXIST)
                throw system_error("cannot create " + (folder_ / folder).string(), errno);
        }
    }

    void write_alone(const std::function<bool(const git_index_entry&)>& is_wanted) {
        std::vector<std::size_t> wanted;
        for (std::size_t i = 0; i < stats_.size(); ++i)
            if (is_wanted(entry(i))) wanted.push_back(i);
        write(repository_, wanted);
    }

    void write_files() {
        std::vector<std::size_t> wanted;
        for (std::size_t i = 0; i < stats_.size(); ++i)
            if (is_file(entry(i)) && !is_attributes(entry(i))) wanted.push_back(i);
        const std::size_t writers =
            std::clamp<std::size_t>(wanted.size() / files_of_writer, 1, most_writers);
        on_threads(writers, [&](std::size_t writer) {
            // Neighbours, since those lie in one folder.
            const auto begin = wanted.size() * writer / writers;
            const auto end = wanted.size() * (writer + 1) / writers;
            const std::vector<std::size_t> own(wanted.begin() + static_cast<std::ptrdiff_t>(begin),
                                               wanted.begin() + static_cast<std::ptrdiff_t>(end));
            // A stop ends this thread's checkout, too.
            const Contact contact{session_.stop()};
            const auto repository =
                make<RepositoryHandle>(where_, git_repository_open, where_.c_str());
            write(repository.get(), own);
        });
    }

    // Writes those files, and takes note of how they look.
    void write(git_repository* repository, const std::vector<std::size_t>& files) {
        if (files.empty()) return;  // to libgit2 no path is every path
        std::vector<char*> paths;
        for (const auto at : files)
            paths.push_back(const_cast<char*>(entry(at).path));  // it only reads them
        const auto nothing = make<IndexHandle>(where_, git_index_new);
        git_checkout_options options = GIT_CHECKOUT_OPTIONS_INIT;
        options.checkout_strategy = GIT_CHECKOUT_FORCE | GIT_CHECKOUT_DISABLE_PATHSPEC_MATCH |
                                    GIT_CHECKOUT_DONT_UPDATE_INDEX | GIT_CHECKOUT_NO_REFRESH;
        options.baseline_index = nothing.get();
        options.paths = {paths.data(), paths.size()};
        const auto target = lookup_commit(repository, commit_);
        const int code = git_checkout_tree(
            repository, reinterpret_cast<const git_object*>(target.get()), &options);
        session_.stop_if_requested(where_);
        check(code, where_);
        for (const auto at : files)
            if (::lstat((folder_ / entry(at).path).c_str(), &stats_[at]) != 0)
                throw system_error("looking at " + (folder_ / entry(at).path).string(), errno);
    }

    // As libgit2 notes a file that it has checked out (git_index_entry__init_from_stat), so that
    // nobody has to read it to know it.
    void write_index() {
        const auto index = make<IndexHandle>(where_, git_repository_index, repository_);
        for (std::size_t i = 0; i < stats_.size(); ++i) {
            git_index_entry noted = entry(i);
            const auto& status = stats_[i];
            noted.ctime = {static_cast<std::int32_t>(status.st_ctim.tv_sec),
                           static_cast<std::uint32_t>(status.st_ctim.tv_nsec)};
            noted.mtime = {static_cast<std::int32_t>(status.st_mtim.tv_sec),
                           static_cast<std::uint32_t>(status.st_mtim.tv_nsec)};
            noted.dev = static_cast<std::uint32_t>(status.st_rdev);
            noted.ino = static_cast<std::uint32_t>(status.st_ino);
            noted.uid = status.st_uid;
            noted.gid = status.st_gid;
            noted.file_size = static_cast<std::uint32_t>(status.st_size);
            check(git_index_add(index.get(), &noted), where_);
        }
        check(git_index_write(index.get()), where_);
    }

    Session& session_;
    git_repository* const repository_;
    const std::string& commit_;
    const std::string where_;  // for people
    const fs::path folder_;
    const IndexHandle index_;         // of the commit's tree, in memory
    std::vector<struct stat> stats_;  // of its files in the work tree; each written by one thread
};

}  // namespace

void check_out_fresh(Session& session, git_repository* repository, const std::string& commit) {
    session.stop_if_requested(git_repository_workdir(repository));
    require_plain_tree(repository, lookup_commit(repository, commit).get(), WorkTree::none_yet);
    FreshCheckout{session, repository, commit}.run();
}

}  // namespace podctl::git
