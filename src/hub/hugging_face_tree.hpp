#pragma once

#include "podctl/hub/folder.hpp"

#include <cstddef>
#include <string>
#include <string_view>

// How a hub lists what is in a repository, as far as it can be read without asking.
namespace podctl::hub {

// Adds what a page lists to `folder`, whose revision is set. Returns how many entries the page has.
// `what` is the source, for messages. Throws Error{integrity}.
std::size_t read_tree_page(const HuggingFaceSource& source, std::string_view page,
                           const std::string& what, Folder& folder);

// After the last page: puts all in order. Throws Error{integrity} where they make no sense
// together.
void finish_tree(const std::string& what, Folder& folder);

}  // namespace podctl::hub
