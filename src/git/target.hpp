#pragma once

#include "podctl/base/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace podctl::git {

// A line of what a server advertises (git ls-remote).
struct RemoteRef {
    std::string
        name;        // "HEAD", "refs/heads/main", "refs/tags/v1", "refs/tags/v1^{}" (what it tags)
    std::string id;  // 40 hex digits
    std::string symref;  // of HEAD: "refs/heads/main"; empty where the server does not tell
};

// What a template's ref means at that server.
struct Target {
    enum class Kind {
        branch,        // name is short
        tag,           // name is short
        other,         // name is a whole ref: refs/pull/7/head, or HEAD where it is detached
        commit,        // name has 40 digits
        short_commit,  // name has 4 to 39 digits
    };
    Kind kind = Kind::branch;
    std::string name;

    friend bool operator==(const Target&, const Target&) = default;
};

// The default branch's short name; empty: HEAD is detached or names a branch without a commit.
std::string default_branch(const std::vector<RemoteRef>& refs);

// As `git clone --branch` looks: a branch goes before a tag of the same name; then what looks like
// a commit. Empty `ref`: the default branch. nullopt: the server has no such thing.
std::optional<Target> find_target(const std::vector<RemoteRef>& refs, std::string_view ref);

// Error{not_found} that names what is near.
Error no_such_ref(const std::vector<RemoteRef>& refs, std::string_view ref, std::string_view url);

}  // namespace podctl::git
