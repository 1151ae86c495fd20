#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace podctl::python {

// An environment is no deeper; an archive that says so is none's.
inline constexpr std::size_t deepest_member = 100;

enum class MemberKind { folder, link, file };

struct TreeMember {
    std::string name;  // below the environment
    MemberKind kind = MemberKind::file;
};

// What an environment's snapshot is made of, folders before what is in them.
struct EnvironmentTree {
    std::vector<TreeMember> rest;
    std::vector<TreeMember> torch = {};  // files and links; their folders are among the rest
    // The same for every environment whose torch part holds the same, whatever its path; empty:
    // torch was not installed into it.
    std::string torch_identity = {};
};

// Sockets, pipes and devices are left out, and podctl's own mark. Throws Error{io},
// Error{conflict} for a tree that is no environment's, Error{interrupted}.
EnvironmentTree read_environment_tree(const std::filesystem::path& environment,
                                      const std::string& platform, const std::stop_token& stop);

}  // namespace podctl::python
