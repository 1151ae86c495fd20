#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace podctl::git {

// A section of .gitmodules.
struct Declaration {
    std::string name, path, url, update;
};

// More than any repository has: the largest that people know have some hundred.
constexpr std::size_t most_submodules = 1'000;
constexpr std::size_t largest_gitmodules = 1u << 20;

// Of the text of a .gitmodules: Error{git} when it is too large for one, or includes other files,
// which libgit2 would open on this machine (git itself does not). `where` is for the message.
void require_plain_gitmodules(std::string_view text, const std::string& where);

// What a .gitmodules declares, by name. Throws Error{git} as require_plain_gitmodules() does.
std::vector<Declaration> read_gitmodules(const std::filesystem::path& file);

// Throws Error{git} for more submodules than any repository has.
void require_few_submodules(std::size_t count, const std::string& where);

}  // namespace podctl::git
