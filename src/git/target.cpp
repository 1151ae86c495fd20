#include "target.hpp"

#include "podctl/base/names.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace podctl::git {
namespace {

constexpr std::string_view heads = "refs/heads/";
constexpr std::string_view tags = "refs/tags/";
constexpr std::size_t full_length = 40;
constexpr std::size_t shortest_commit = 4;  // git's own limit
constexpr std::size_t most_suggestions = 3;

bool has(const std::vector<RemoteRef>& refs, std::string_view name) {
    return std::any_of(refs.begin(), refs.end(), [&](const auto& ref) { return ref.name == name; });
}

bool is_hex(std::string_view text) {
    return text.find_first_not_of("0123456789abcdefABCDEF") == text.npos;
}

std::vector<std::string> names_of(const std::vector<RemoteRef>& refs) {
    std::vector<std::string> names;
    for (const auto& ref : refs) {
        const std::string_view name = ref.name;
        if (name.ends_with("^{}")) continue;
        if (name.starts_with(heads)) names.emplace_back(name.substr(heads.size()));
        if (name.starts_with(tags)) names.emplace_back(name.substr(tags.size()));
    }
    return names;
}

std::vector<std::string> near_names(std::vector<std::string> names, std::string_view ref) {
    std::vector<std::string> result;
    while (result.size() < most_suggestions) {
        const auto found = nearest(ref, names);
        if (!found) break;
        result.push_back(*found);
        std::erase(names, *found);
    }
    for (const auto& name : names)
        if (result.size() < most_suggestions && name.find(ref) != name.npos) result.push_back(name);
    return result;
}

}  // namespace

std::string default_branch(const std::vector<RemoteRef>& refs) {
    const auto head =
        std::find_if(refs.begin(), refs.end(), [](const auto& ref) { return ref.name == "HEAD"; });
    if (head == refs.end()) return {};
    if (head->symref.starts_with(heads)) return head->symref.substr(heads.size());
    // A server that does not tell where HEAD points: the branch at the same commit, the usual names
    // first.
    for (const std::string_view name : {"refs/heads/main", "refs/heads/master"})
        for (const auto& ref : refs)
            if (ref.name == name && ref.id == head->id) return ref.name.substr(heads.size());
    for (const auto& ref : refs)
        if (ref.name.starts_with(heads) && ref.id == head->id) return ref.name.substr(heads.size());
    return {};
}

std::optional<Target> find_target(const std::vector<RemoteRef>& refs, std::string_view ref) {
    using enum Target::Kind;
    if (ref.empty()) {
        const std::string name = default_branch(refs);
        if (!name.empty()) return Target{branch, name};
        if (has(refs, "HEAD")) return Target{other, "HEAD"};
        return std::nullopt;
    }
    if (ref.size() == full_length && is_hex(ref)) return Target{commit, to_lower(ref)};
    if (has(refs, fmt::format("{}{}", heads, ref))) return Target{branch, std::string(ref)};
    if (has(refs, fmt::format("{}{}", tags, ref))) return Target{tag, std::string(ref)};
    if (ref.starts_with("refs/") && has(refs, ref)) {
        if (ref.starts_with(heads)) return Target{branch, std::string(ref.substr(heads.size()))};
        if (ref.starts_with(tags)) return Target{tag, std::string(ref.substr(tags.size()))};
        return Target{other, std::string(ref)};
    }
    if (ref.size() >= shortest_commit && ref.size() < full_length && is_hex(ref))
        return Target{short_commit, to_lower(ref)};
    return std::nullopt;
}

Error no_such_ref(const std::vector<RemoteRef>& refs, std::string_view ref, std::string_view url) {
    const auto names = names_of(refs);
    if (ref.empty())
        return Error{ErrorKind::not_found, fmt::format("{}: its default branch has no commit", url),
                     names.empty()
                         ? "the repository is empty"
                         : fmt::format("name a ref; it has the branch or tag {}", names.front())};
    const auto near = near_names(names, ref);
    std::string hint = "a ref is a branch, a tag or a commit of that repository";
    if (!near.empty()) {
        hint = "did you mean " + near.front();
        for (std::size_t i = 1; i < near.size(); ++i)
            hint += ", " + near[i];
        hint += "?";
    } else if (names.empty()) {
        hint = "the repository has neither branches nor tags";
    } else if (ref.size() == full_length && is_hex(ref)) {
        hint = fmt::format("a branch that is rewritten loses its commits; name another ref: {}",
                           default_branch(refs));
    }
    return Error{ErrorKind::not_found, fmt::format("{}: no branch, tag or commit {}", url, ref),
                 hint};
}

}  // namespace podctl::git
