#include "podctl/base/error.hpp"
#include "podctl/git/git.hpp"

#include "git_folder.hpp"
#include "handles.hpp"
#include "library.hpp"

#include <string_view>
#include <system_error>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

constexpr const char* work_tree_key = "core.worktree";
// From the repository's folder, so that it holds wherever the volume is mounted.
constexpr const char* folder_around = "..";

}  // namespace

std::set<std::string> tracked_at_top(const fs::path& checkout) {
    const auto gitdir = find_gitdir(checkout);
    if (!gitdir)
        throw Error{ErrorKind::git, checkout.string() + " is no checkout of git",
                    "clone it anew: podctl up --force"};
    ensure_library();
    // The index alone: on a volume a look at the whole repository takes a tenth of a second.
    const auto index =
        make<IndexHandle>(checkout.string(), git_index_open, (*gitdir / "index").c_str());
    std::set<std::string> names;
    for (std::size_t i = 0; i < git_index_entrycount(index.get()); ++i) {
        const std::string_view path = git_index_get_byindex(index.get(), i)->path;
        names.emplace(path.substr(0, path.find('/')));
    }
    return names;
}

bool name_work_tree(const fs::path& checkout) {
    const fs::path repository = checkout / ".git";
    std::error_code ignored;
    if (!fs::is_directory(fs::symlink_status(repository, ignored))) return false;
    ensure_library();
    const auto settings = make<ConfigHandle>(checkout.string(), git_config_open_ondisk,
                                             (repository / "config").c_str());
    git_buf named{};
    const int found = git_config_get_string_buf(&named, settings.get(), work_tree_key);
    const std::string value = found == 0 ? named.ptr : "";
    git_buf_dispose(&named);
    if (found == 0) return value == folder_around;
    if (found != GIT_ENOTFOUND) check(found, checkout.string());
    check(git_config_set_string(settings.get(), work_tree_key, folder_around), checkout.string());
    return true;
}

}  // namespace podctl::git
