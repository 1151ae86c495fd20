#pragma once

#include "formats.hpp"

#include <optional>
#include <string>
#include <string_view>

// Lexical checks of the paths of a template. Links are looked at when the files are.
namespace podctl::tmpl {

// `path` with . and .. taken out and made absolute; what is relative is under `folder`.
std::string absolute_path(std::string_view path, std::string_view folder);
// Both absolute and normalised.
bool is_at_or_under(std::string_view path, std::string_view folder);

bool has_control(std::string_view text);

// Empty, control characters, ~, too long: what no path may be.
std::optional<std::string> characters_fault(std::string_view text);
// What a relative path, or an absolute one, in the mount may not be: outside of it, or in .podctl.
std::optional<std::string> path_fault(std::string_view text, const PathContext& context);
// As path_fault, and the mount itself is refused.
std::optional<std::string> owned_path_fault(std::string_view text, const PathContext& context);
// A custom node's: an absolute one may be outside of the mount, where an image has its own.
std::optional<std::string> node_path_fault(std::string_view text, const PathContext& context);
std::optional<std::string> model_folder_fault(std::string_view text, const PathContext& context);

// The folder's name that git would give a clone; empty: the URL has none.
std::string repository_name(std::string_view git_url);

}  // namespace podctl::tmpl
