#pragma once

#include "value.hpp"

#include <string>
#include <string_view>

// Secrets that stand in a template as literals. A template is committed, shared and printed.
namespace podctl::tmpl {

class Diagnostics;

// The text with every literal that looks like a secret replaced by ***: tokens of the known hubs
// and clouds, passwords of URLs, values of token=, api_key=, --password and the like, private keys.
// References to variables (${NAME}, $NAME) are no literals; a digest or a commit is no secret.
std::string conceal(std::string_view text);
bool looks_secret(std::string_view text);

// Reports every literal secret under `value`, whose own path is `path`, and marks it confidential.
// Runs before interpolation: what a variable brings in is no literal.
void find_secrets(Value& value, const std::string& path, Diagnostics& diagnostics);

}  // namespace podctl::tmpl
