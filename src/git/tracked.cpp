#include "podctl/base/error.hpp"
#include "podctl/git/git.hpp"

#include "git_folder.hpp"
#include "handles.hpp"
#include "library.hpp"

#include <string_view>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

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

}  // namespace podctl::git
