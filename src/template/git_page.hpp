#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace podctl::tmpl {

// What a URL means that no git server answers: copied from a browser (…/tree/main) or written as
// pip and npm write it (git+https://…@v1, ….git#v1).
struct GitPage {
    std::string git = {};      // the repository's own URL
    std::string ref = {};      // a tag, a branch or a commit; empty: the default branch
    std::string unclear = {};  // why git and ref are a guess; empty: they are not
};

// nullopt: a URL of a repository as it stands, or nothing that is known here. The pages are those
// of GitHub, GitLab, Gitea (Codeberg), Bitbucket and Hugging Face, by the name of the host; /-/ is
// GitLab's on any host, and /src/branch/ Gitea's.
std::optional<GitPage> read_git_page(std::string_view text);

}  // namespace podctl::tmpl
