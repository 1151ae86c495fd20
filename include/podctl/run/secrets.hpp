#pragma once

#include <map>
#include <string>
#include <vector>

#include "podctl/base/redact.hpp"
#include "podctl/base/secret.hpp"
#include "podctl/base/url.hpp"
#include "podctl/fetch/http.hpp"

namespace podctl::run {

struct Secrets {
    std::map<std::string, Secret> values;  // those that have a value
    std::vector<std::string> missing;
};

// The value of each name: $NAME, or the content of the file $NAME_FILE, or of /run/secrets/NAME. Throws
// Error{preflight} when a file that is named cannot be read.
Secrets read_secrets(const std::vector<std::string>& names);

Redactor redactor_of(const Secrets& secrets);

// Where the tokens that podctl itself uses may go: CIVITAI_API_KEY to Civitai, HF_TOKEN to Hugging Face, and
// each to the mirror that the user set for that origin.
std::vector<fetch::Credential> credentials_of(const Secrets& secrets, const Mirrors& mirrors);

}  // namespace podctl::run
