#pragma once

#include "podctl/http/http.hpp"

#include <string>
#include <string_view>

namespace podctl::git {

enum class Transport { http, ssh, git, local, unknown };

// How git reads a repository's URL: with a scheme, scp-like (git@host:path), or a path.
Transport transport_of(std::string_view url);

// Only servers cut a history; a local repository is read directly.
bool can_shallow(std::string_view url);

// The URL without what may be a secret in it.
std::string without_secrets(std::string_view url);

// An http URL without its login; any other as it is. What is written into a repository's
// configuration, which outlives the run and its secrets.
std::string without_login(const std::string& url);

// "https://host/path" for an ssh URL or scp-like one; empty for anything else.
std::string https_form(std::string_view ssh_url);

// A submodule's URL, which may be relative ("../lib.git") to its superproject's.
std::string resolve_submodule_url(std::string_view parent, std::string_view url);

// Where what a server gives may lead: judged by its name and, if need be, by the addresses that the
// name has. Unknown names count as the internet's.
http::Request::Reach reach_from(const std::string& url);

// Throws Error{git} for a URL with a control character in it: it would reach the wire, as a line of
// git's protocol or for a server's shell.
void require_no_control(const std::string& url);

// The path of a local repository's URL, absolute.
std::string local_path(std::string_view url);

}  // namespace podctl::git
