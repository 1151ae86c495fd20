#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/git/git.hpp"

#include "git_folder.hpp"

#include <algorithm>
#include <string>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

// HEAD → refs/heads/x is one step; git itself gives up after five.
constexpr int deepest_symref = 5;

// nullopt: cannot be read, whatever the reason.
std::optional<std::string> content_of(const fs::path& path) {
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) return std::nullopt;
    try {
        return read_file_if_exists(path);
    } catch (const Error&) {
        return std::nullopt;
    }
}

bool is_ref_name(std::string_view name) {
    return name.starts_with("refs/") && name.find("..") == name.npos &&
           name.find('\0') == name.npos;
}

std::optional<std::string> find_packed(const fs::path& common, std::string_view name) {
    const auto packed = content_of(common / "packed-refs");
    if (!packed) return std::nullopt;
    for (const auto& line : split(*packed, '\n')) {
        const std::string_view text = trim(line);
        if (text.size() > 41 && text[40] == ' ' && text.substr(41) == name &&
            is_git_id(text.substr(0, 40)))
            return std::string(text.substr(0, 40));
    }
    return std::nullopt;
}

}  // namespace

std::optional<fs::path> find_gitdir(const fs::path& checkout) {
    const fs::path dot_git = checkout / ".git";
    std::error_code ignored;
    if (fs::is_directory(dot_git, ignored)) return dot_git;
    const auto link = content_of(dot_git);
    constexpr std::string_view marker = "gitdir:";
    if (!link || !link->starts_with(marker)) return std::nullopt;
    const auto target = trim(std::string_view(*link).substr(marker.size()));
    if (target.empty() || target.find('\0') != target.npos) return std::nullopt;
    return checkout / fs::path(target);
}

fs::path find_common_dir(const fs::path& gitdir) {
    const auto content = content_of(gitdir / "commondir");
    if (!content) return gitdir;
    const auto target = trim(*content);
    if (target.empty() || target.find('\0') != target.npos) return gitdir;
    return gitdir / fs::path(target);
}

std::optional<Checkout> read_head(const fs::path& checkout) {
    const auto gitdir = find_gitdir(checkout);
    if (!gitdir) return std::nullopt;
    const fs::path common = find_common_dir(*gitdir);

    Checkout result;
    auto content = content_of(*gitdir / "HEAD");
    for (int depth = 0; content && depth <= deepest_symref; ++depth) {
        const std::string_view text = trim(*content);
        if (is_git_id(text)) {
            result.commit = text;
            return result;
        }
        constexpr std::string_view marker = "ref:";
        if (!text.starts_with(marker)) return std::nullopt;
        const std::string name{trim(text.substr(marker.size()))};
        if (!is_ref_name(name)) return std::nullopt;
        constexpr std::string_view heads = "refs/heads/";
        if (depth == 0 && name.starts_with(heads)) result.branch = name.substr(heads.size());
        content = content_of(common / name);
        if (!content) content = find_packed(common, name);
    }
    return std::nullopt;
}

}  // namespace podctl::git
