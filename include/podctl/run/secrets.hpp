#pragma once

#include "podctl/base/redact.hpp"
#include "podctl/base/secret.hpp"
#include "podctl/base/url.hpp"
#include "podctl/fetch/http.hpp"
#include "podctl/template/template.hpp"

#include <map>
#include <string>
#include <vector>

namespace podctl::run {

struct Secrets {
    std::map<std::string, Secret> values;  // those that have a value
    std::vector<std::string> missing;
    std::vector<fetch::Credential>
        in_sources;  // ?token= of a model's URL, bound to that URL's origin
};

// The value of each name under `secrets:`: $NAME, or the content of the file $NAME_FILE, or of
// /run/secrets/NAME. Throws Error{preflight} when a file that is named cannot be read.
Secrets read_secrets(const tmpl::Template& pod);

Redactor redactor_of(const Secrets& secrets);

// Where the tokens that podctl itself uses may go: CIVITAI_API_KEY to Civitai, HF_TOKEN to Hugging
// Face, and each to the mirror that the user set for that origin.
std::vector<fetch::Credential> credentials_of(const Secrets& secrets, const Mirrors& mirrors);

}  // namespace podctl::run
