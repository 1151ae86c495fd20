#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/git/git.hpp"

#include "worktree.hpp"

#include <optional>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

// The innermost checkout that has `path` in it, or `path` itself when it is one.
std::optional<fs::path> checkout_around(const fs::path& path, const fs::path& top) {
    for (fs::path folder = path; is_inside(folder, top); folder = folder.parent_path()) {
        std::error_code ignored;
        if (fs::exists(fs::symlink_status(folder / ".git", ignored))) return folder;
        if (folder == folder.parent_path()) break;
    }
    return std::nullopt;
}

// Whether the target of a link whose folder is `depth` folders below its checkout leads out of
// there, or into the repository itself. What comes after a name may be a link's, so ".." counts
// there as leading anywhere.
bool leads_out(const fs::path& target, std::ptrdiff_t depth) {
    if (target.is_absolute()) return true;
    bool is_named = false;
    for (const auto& part : target) {
        if (part == "..") {
            if (is_named || --depth < 0) return true;
        } else if (to_lower(part.native()) == ".git") {
            return true;
        } else if (!part.empty() && part != ".") {
            is_named = true;
        }
    }
    return false;
}

// The user's own link is in no index as a link, or leads elsewhere than that one.
bool is_committed_link(const fs::path& checkout, const fs::path& relative,
                       const std::string& target) {
    const auto repository = open_repository(checkout);
    if (!repository) return false;
    const auto index = make<IndexHandle>(checkout.string(), git_repository_index, repository.get());
    const git_index_entry* entry = git_index_get_bypath(index.get(), relative.c_str(), 0);
    if (entry == nullptr || entry->mode != GIT_FILEMODE_LINK) return false;
    git_oid own;
    check(git_odb_hash(&own, target.data(), target.size(), GIT_OBJECT_BLOB), checkout.string());
    return git_oid_equal(&own, &entry->id) != 0;
}

}  // namespace

std::string reason_against_link(const fs::path& link, const fs::path& top) {
    const auto checkout = checkout_around(link.parent_path(), top);
    if (!checkout) return {};
    std::error_code failed;
    const fs::path target = fs::read_symlink(link, failed);
    const fs::path relative = link.lexically_relative(*checkout);
    if (failed || !leads_out(target, std::distance(relative.begin(), relative.end()) - 1))
        return {};
    ensure_library();
    if (!is_committed_link(*checkout, relative, target.native())) return {};
    return "is a link that a commit has brought, out of its checkout";
}

}  // namespace podctl::git
