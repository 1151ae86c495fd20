#pragma once

#include "podctl/base/redact.hpp"
#include "podctl/base/secret.hpp"
#include "podctl/base/url.hpp"
#include "podctl/fetch/http.hpp"
#include "podctl/fetch/source.hpp"
#include "podctl/template/template.hpp"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace podctl::run {

struct Secrets {
    std::map<std::string, Secret> values;  // those that have a value
    std::vector<std::string> missing;
    std::vector<fetch::Credential> in_sources;  // credentials_in() of the sources
};

// The value of each name under `secrets:`: $NAME, or the content of the file $NAME_FILE, or of
// /run/secrets/NAME. HF_TOKEN is also found where huggingface_hub keeps it: in
// $HUGGING_FACE_HUB_TOKEN, in the file $HF_TOKEN_PATH, in $HF_HOME/token (~/.cache/huggingface).
// Throws Error{preflight} when a file that is named cannot be read.
Secrets read_secrets(const tmpl::Template& pod);

// The same where there is no template, as for `podctl get`: CIVITAI_API_KEY and HF_TOKEN. The
// caller puts credentials_in() of its sources into in_sources.
Secrets read_hub_secrets();

// ?token= of each source's URL, bound to the origin that it was written for: the hub that the URL
// names, or the mirror of $HF_ENDPOINT.
std::vector<fetch::Credential> credentials_in(std::span<const fetch::Source> sources);

Redactor redactor_of(const Secrets& secrets);

// Where the tokens that podctl itself uses may go: CIVITAI_API_KEY to Civitai, HF_TOKEN to Hugging
// Face, and each to the mirror that the user set for that origin.
std::vector<fetch::Credential> credentials_of(const Secrets& secrets, const Mirrors& mirrors);

}  // namespace podctl::run
