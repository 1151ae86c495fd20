#include "git_page.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/text.hpp"
#include "podctl/base/url.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

namespace podctl::tmpl {
namespace {

enum class Hub { github, gitlab, gitea, bitbucket, hugging_face, none };

using Parts = std::span<const std::string>;

// Of the public hubs alone: a repository of another server may have any path.
Hub hub_of(std::string_view host) {
    if (host.starts_with("www.")) host.remove_prefix(4);
    if (host == "github.com" || host == "gist.github.com") return Hub::github;
    if (host == "gitlab.com") return Hub::gitlab;
    if (host == "codeberg.org" || host == "gitea.com") return Hub::gitea;
    if (host == "bitbucket.org") return Hub::bitbucket;
    if (host == "huggingface.co" || host == "hf.co") return Hub::hugging_face;
    return Hub::none;
}

// Of its 40 digits the first few are enough, as git takes them.
bool is_commit_or_its_beginning(std::string_view text) {
    return text.size() >= 4 && text.size() <= 40 && std::ranges::all_of(text, is_hex_digit);
}

std::vector<std::string> path_parts(std::string_view path) {
    std::vector<std::string> parts;
    for (const std::string& part : split(path, '/'))
        if (!part.empty()) parts.push_back(part);
    return parts;
}

std::string joined(Parts parts) {
    return percent_decode(fmt::format("{}", fmt::join(parts, "/")));
}

GitPage clear(std::string ref) {
    return {.ref = std::move(ref)};
}

GitPage unclear(std::string why, std::string ref = {}) {
    return {.ref = std::move(ref), .unclear = std::move(why)};
}

// What follows tree/: a branch may have slashes in it, and so has a folder.
GitPage of_tree(Parts rest) {
    if (rest.empty()) return unclear("it names no branch");
    if (rest.size() == 1) return clear(joined(rest));
    if (rest[0].size() == 40 && is_commit_or_its_beginning(rest[0]))
        return unclear("it is a folder of the repository", rest[0]);
    return unclear("where the branch ends and a folder begins cannot be told", joined(rest));
}

GitPage of_commit(Parts rest) {
    const bool is_one = !rest.empty() && is_commit_or_its_beginning(rest[0]);
    return is_one ? clear(rest[0]) : unclear("it names no commit");
}

GitPage of_tag(Parts rest) {
    return rest.empty() ? unclear("it names no tag") : clear(joined(rest));
}

GitPage of_archive(Parts rest) {
    if (rest.size() > 2 && rest[0] == "refs" && (rest[1] == "tags" || rest[1] == "heads"))
        rest = rest.subspan(2);
    std::string ref = joined(rest);
    for (const std::string_view ending : {".zip", ".tar.gz", ".tar.bz2", ".tgz", ".bundle"}) {
        if (ref.size() > ending.size() && ref.ends_with(ending))
            return clear(ref.substr(0, ref.size() - ending.size()));
    }
    return unclear("it names no archive");
}

// The page of a repository, from what follows the repository in its path.
GitPage of_page(Parts page) {
    const std::string& kind = page[0];
    const Parts rest = page.subspan(1);
    if (kind == "tree" || kind == "commits" || kind == "branch") return of_tree(rest);
    if (kind == "commit") return of_commit(rest);
    if (kind == "releases" && !rest.empty() && rest[0] == "tag") return of_tag(rest.subspan(1));
    if (kind == "releases" || kind == "tags" || kind == "tag") {
        if (rest.size() > 1 && rest[0] == "download")
            return unclear("it is a file of a release", joined(rest.subspan(1, 1)));
        const bool is_list = rest.empty() || rest[0] == "latest" || rest[0] == "download";
        return is_list ? unclear("it names no tag") : of_tag(rest);
    }
    if (kind == "archive" || kind == "get") return of_archive(rest);
    if (kind == "zipball" || kind == "tarball") return of_tag(rest);
    if (kind == "src" && rest.size() > 1) {
        if (rest[0] == "branch") return of_tree(rest.subspan(1));
        if (rest[0] == "tag") return of_tag(rest.subspan(1));
        if (rest[0] == "commit") return of_commit(rest.subspan(1));
    }
    if (kind == "src") return of_tree(rest);
    if (kind == "blob" || kind == "raw" || kind == "resolve" || kind == "blame" || kind == "edit")
        return unclear("it is a file of the repository", rest.empty() ? "" : joined(rest.first(1)));
    if (kind == "pull" && !rest.empty())
        return unclear("it is what somebody asks to be merged",
                       fmt::format("refs/pull/{}/head", percent_decode(rest[0])));
    return unclear("it is a page about the repository");
}

// GitLab's archive/REF/NAME-REF.zip says the reference by itself.
GitPage of_gitlab_page(Parts page) {
    if (page.empty()) return unclear("it is a page about the repository");
    if (page[0] == "archive" && page.size() == 3) return clear(joined(page.subspan(1, 1)));
    return of_page(page);
}

// How many parts of a path name the repository; 0: this hub's repositories have any number.
std::size_t depth_of_repository(Hub hub, std::string_view host, Parts parts) {
    if (host.starts_with("gist.")) return parts.size() > 1 ? 2 : 1;
    switch (hub) {
        case Hub::github:
        case Hub::gitea:
        case Hub::bitbucket:
            return 2;
        case Hub::hugging_face:
            return !parts.empty() && (parts[0] == "spaces" || parts[0] == "datasets") ? 3 : 2;
        case Hub::gitlab:
        case Hub::none:
            return 0;
    }
    return 0;
}

// Where the page begins behind the repository; parts.size(): there is none.
std::size_t begin_of_page(Hub hub, const Url& url, Parts parts) {
    const std::size_t depth = depth_of_repository(hub, url.host, parts);
    if (depth > 0) return std::min(depth, parts.size());
    const auto dash = std::find(parts.begin(), parts.end(), "-");
    if (dash != parts.end() && dash - parts.begin() >= 2)
        return static_cast<std::size_t>(dash - parts.begin());
    const bool is_page =
        parts.size() > 3 && ((hub == Hub::gitlab && (parts[2] == "tree" || parts[2] == "blob" ||
                                                     parts[2] == "commit" || parts[2] == "tags")) ||
                             (parts[2] == "src" &&
                              (parts[3] == "branch" || parts[3] == "tag" || parts[3] == "commit")));
    return is_page ? 2 : parts.size();
}

GitPage page_at(const Url& url, Parts page) {
    if (url.host.starts_with("gist.")) return of_commit(page);
    if (page[0] == "-") return of_gitlab_page(page.subspan(1));
    return of_page(page);
}

// pip's and npm's NAME@REF, and what follows may have slashes in it: behind .git, in the
// repository's own part of the path, which is the last one where that is not known. An @ at the
// beginning of a part belongs to a name.
std::size_t sign_in(std::string_view path, std::size_t depth_of_repository) {
    const auto after_git = path.find(".git@");
    if (after_git != std::string_view::npos) return after_git + 4;
    auto slash = path.rfind('/');
    if (depth_of_repository > 0) {
        slash = 0;
        for (std::size_t depth = 1; depth < depth_of_repository && slash != path.npos; ++depth)
            slash = path.find('/', slash + 1);
        if (slash == path.npos) return path.npos;
    }
    const auto sign = path.find('@', slash + 1);  // npos + 1 is 0
    const bool is_in_part = sign < path.find('/', slash + 1) || sign == path.npos;
    return sign == slash + 1 || !is_in_part ? path.npos : sign;
}

bool is_like_version(std::string_view text) {
    if (text.starts_with('v')) text.remove_prefix(1);
    return !text.empty() && is_digit(text.front()) && text.find('.') != text.npos;
}

// Behind the # of a browser's URL stands a heading of the page far more often than a reference.
GitPage of_fragment(const std::string& fragment, bool is_page_of_hub) {
    if (fragment.find("subdirectory=") != std::string::npos)
        return unclear("a folder of a repository is cloned with all of it");
    if (fragment.starts_with("egg=")) return {};
    const bool is_reference = !is_page_of_hub ||
                              (is_commit_or_its_beginning(fragment) && fragment.size() >= 7) ||
                              is_like_version(fragment);
    if (is_reference) return clear(percent_decode(fragment));
    return unclear("whether a reference is meant or a heading of the page cannot be told",
                   percent_decode(fragment));
}

// Leaves the repository's own path in the URL.
std::optional<GitPage> take_page(Url& url, Hub hub) {
    const std::string fragment = std::exchange(url.fragment, {});
    const auto parts = path_parts(url.path);
    const auto begin = begin_of_page(hub, url, parts);
    const auto sign = sign_in(url.path, depth_of_repository(hub, url.host, parts));
    if (begin < parts.size() && sign == std::string::npos) {
        url.query.clear();
        url.path = fmt::format("/{}", fmt::join(Parts{parts}.first(begin), "/"));
        return page_at(url, Parts{parts}.subspan(begin));
    }
    if (hub != Hub::none && parts.size() == 1 && !url.host.starts_with("gist."))
        return unclear("it names an owner and no repository");
    if (sign != std::string::npos) {
        auto page = clear(percent_decode(url.path.substr(sign + 1)));
        url.path.resize(sign);
        return page;
    }
    if (fragment.empty()) return std::nullopt;
    return of_fragment(fragment, hub != Hub::none && !url.path.ends_with(".git"));
}

// A browser's ?tab=readme, and the slash at the end.
bool tidy(Url& url, Hub hub) {
    bool changed = false;
    if (hub != Hub::none) changed = !std::exchange(url.query, {}).empty();
    while (url.path.size() > 1 && url.path.back() == '/') {
        url.path.pop_back();
        changed = true;
    }
    return changed;
}

std::optional<GitPage> read_scp_like(std::string_view text) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || text.find('/') < colon) return std::nullopt;
    const auto path = text.substr(colon + 1);
    const auto sign = std::min(sign_in(path, 0), path.find('#'));
    if (sign == std::string_view::npos || sign == 0) return std::nullopt;
    return GitPage{.git = std::string{text.substr(0, colon + 1 + sign)},
                   .ref = std::string{path.substr(sign + 1)}};
}

}  // namespace

std::optional<GitPage> read_git_page(std::string_view text) {
    const bool is_pips = text.starts_with("git+");
    if (is_pips) text.remove_prefix(4);
    auto url = parse_url(text);
    if (!url) return is_pips ? std::nullopt : read_scp_like(text);
    if (url->scheme != "https" && url->scheme != "http" && url->scheme != "ssh" && !is_pips)
        return std::nullopt;
    const Hub hub = hub_of(url->host);
    auto page = take_page(*url, hub);
    const bool is_tidied = tidy(*url, hub);
    if (!page && !is_tidied && !is_pips) return std::nullopt;
    if (!page) page.emplace();
    page->git = url->to_string();
    return page;
}

}  // namespace podctl::tmpl
