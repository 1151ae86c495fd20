#include "plain_tree.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"

#include "gitmodules.hpp"
#include "library.hpp"
#include "limits.hpp"

#include <fmt/format.h>
#include <git2/sys/errors.h>
#include <sys/stat.h>

#include <algorithm>
#include <climits>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_files = 500'000;
constexpr std::ptrdiff_t deepest_folder = 256;
constexpr std::uint64_t largest_rules = 4u << 20;
constexpr std::uint64_t most_bytes = std::uint64_t{128} << 30;

Error refused(const std::string& path, const std::string& why) {
    return Error{ErrorKind::git, fmt::format("{}: {}", path, why),
                 "do not use this repository, or another commit of it"};
}

class TreeLook {
public:
    TreeLook(git_repository* repository, const git_tree* tree, WorkTree work_tree)
        : tree_(tree),
          work_tree_(work_tree),
          objects_(make<OdbHandle>("objects", git_repository_odb, repository)),
          index_(make<IndexHandle>("the index", git_repository_index, repository)),
          repository_(repository),
          workdir_(git_repository_workdir(repository)) {}

    void run() {
        const int code = git_tree_walk(tree_, GIT_TREEWALK_PRE, &TreeLook::on_entry, this);
        if (thrown_) std::rethrow_exception(thrown_);
        check(code, "the commit's files");
    }

private:
    // libgit2 is C: nothing may be thrown through it.
    static int on_entry(const char* root, const git_tree_entry* entry, void* payload) {
        auto& look = *static_cast<TreeLook*>(payload);
        try {
            look.look_at(root, entry);
            return 0;
        } catch (...) {
            look.thrown_ = std::current_exception();
            git_error_set_str(GIT_ERROR_TREE, "refused");
            return GIT_EUSER;
        }
    }

    void look_at(const std::string& root, const git_tree_entry* entry) {
        const std::string path = root + git_tree_entry_name(entry);
        if (++count_ > most_files)
            throw refused(path, fmt::format("the commit has more than {} files", most_files));
        if (path.size() >= PATH_MAX || std::ranges::count(path, '/') > deepest_folder)
            throw refused(path.substr(0, 80) + "…", "lies too deep in folders");
        if (git_tree_entry_type(entry) != GIT_OBJECT_BLOB) return;
        if (work_tree_ == WorkTree::there) require_no_pipe_at(workdir_ / path);
        std::size_t size = 0;
        git_object_t type{};
        // A clone may be partial: what is not here is not read either.
        if (git_odb_read_header(&size, &type, objects_.get(), git_tree_entry_id(entry)) < 0) return;
        if (size > largest_blob)
            throw refused(
                path, fmt::format("has {} bytes; files of up to {} MiB can be checked out", size,
                                  largest_blob >> 20));
        count_bytes(path, entry, size);
        if (git_tree_entry_filemode(entry) == GIT_FILEMODE_LINK)
            look_at_link(root, path, entry);
        else
            look_at_rules(path, entry, size);
    }

    // libgit2 reads them as a whole at each look, and follows what .gitmodules includes.
    void look_at_rules(const std::string& path, const git_tree_entry* entry, std::size_t size) {
        if (!is_rule_file(entry)) return;
        if (size > largest_rules)
            throw refused(path, fmt::format("has {} bytes, which no such file has", size));
        if (to_lower(path) == ".gitmodules") require_plain_gitmodules(text_of(path, entry), path);
    }

    static bool is_rule_file(const git_tree_entry* entry) {
        const auto name = to_lower(git_tree_entry_name(entry));
        return name == ".gitignore" || name == ".gitattributes" || name == ".gitmodules";
    }

    std::string text_of(const std::string& path, const git_tree_entry* entry) {
        const auto blob =
            make<BlobHandle>(path, git_blob_lookup, repository_, git_tree_entry_id(entry));
        return {static_cast<const char*>(git_blob_rawcontent(blob.get())),
                static_cast<std::size_t>(git_blob_rawsize(blob.get()))};
    }

    // A blob takes its place on the disk under each of its names, once in the pack or not.
    void count_bytes(const std::string& path, const git_tree_entry* entry, std::size_t size) {
        const git_index_entry* before = git_index_get_bypath(index_.get(), path.c_str(), 0);
        if (before != nullptr && git_oid_equal(&before->id, git_tree_entry_id(entry)) != 0) return;
        bytes_ += size;
        if (bytes_ > most_bytes)
            throw refused(workdir_.string(), fmt::format("the commit's files have more than {} GiB",
                                                         most_bytes >> 30));
        if (bytes_ <= free_) return;
        throw Error{
            ErrorKind::io,
            fmt::format("{}: No space left: the commit's files need more than the {} bytes that "
                        "are free",
                        workdir_.string(), free_),
            "free space on that file system"};
    }

    // libgit2 sees nothing there, and opens it to write the file.
    static void require_no_pipe_at(const fs::path& path) {
        struct stat status {};
        if (::lstat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode) ||
            S_ISDIR(status.st_mode) || S_ISLNK(status.st_mode))
            return;
        throw Error{
            ErrorKind::conflict,
            fmt::format("{}: a pipe, socket or device stands in the way of a file", path.string()),
            "remove it, or move it away"};
    }

    // git itself follows no such link. One to a file of the commit is harmless.
    void look_at_link(const std::string& root, const std::string& path,
                      const git_tree_entry* entry) {
        if (!is_rule_file(entry)) return;
        // Its target is looked at as no .gitmodules is; git itself takes none that is a link.
        if (to_lower(path) == ".gitmodules") throw refused(path, "is a link");
        const std::string target = text_of(path, entry);
        const fs::path inside = (fs::path{root} / target).lexically_normal();
        git_tree_entry* found = nullptr;
        const bool is_there = !target.empty() && !inside.is_absolute() &&
                              git_tree_entry_bypath(&found, tree_, inside.c_str()) == 0;
        const TreeEntryHandle held{found};
        if (!is_there || git_tree_entry_type(found) != GIT_OBJECT_BLOB ||
            git_tree_entry_filemode(found) == GIT_FILEMODE_LINK)
            throw refused(path, "is a link to what is no file of the commit");
    }

    const git_tree* tree_;
    const WorkTree work_tree_;
    OdbHandle objects_;
    IndexHandle index_;  // of the commit before
    git_repository* repository_;
    fs::path workdir_;
    const std::uint64_t free_ = free_space(workdir_);
    std::size_t count_ = 0;
    std::uint64_t bytes_ = 0;
    std::exception_ptr thrown_;
};

}  // namespace

void require_plain_tree(git_repository* repository, const git_commit* commit, WorkTree work_tree) {
    const auto tree = make<TreeHandle>("the commit's files", git_commit_tree, commit);
    TreeLook{repository, tree.get(), work_tree}.run();
}

}  // namespace podctl::git
