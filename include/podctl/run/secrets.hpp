#pragma once

#include "podctl/base/secret.hpp"
#include "podctl/base/url.hpp"
#include "podctl/event/redact.hpp"
#include "podctl/http/http.hpp"
#include "podctl/hub/source.hpp"
#include "podctl/template/template.hpp"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace podctl::run {

struct Secrets {
    std::map<std::string, Secret> values;  // those that have a value
    // Where each was found, for people: "$HF_TOKEN", "the file /run/secrets/HF_TOKEN".
    std::map<std::string, std::string> found_in = {};
    std::vector<std::string> missing = {};
    std::vector<http::Credential> in_sources = {};  // credentials_in() of the sources
    // What no output may show beside them: Template::hidden, and what podctl's own environment
    // holds under a secret's name, listed or not.
    std::vector<Secret> hidden = {};
};

// The value of each name under `secrets:`: $NAME, or the content of the file $NAME_FILE, or of
// /run/secrets/NAME. What has no value under its name is looked for under the others that the field
// uses for it: CIVITAI_API_KEY, CIVITAI_TOKEN, CIVITAI_API_TOKEN; HF_TOKEN,
// HUGGING_FACE_HUB_TOKEN. HF_TOKEN is at last taken from the login that huggingface_hub keeps: the
// file $HF_TOKEN_PATH, or $HF_HOME/token (~/.cache/huggingface). The names count as secrets from
// then on (list_as_secrets()). Throws Error{preflight} when a file that is named cannot be read.
Secrets read_secrets(const tmpl::Template& pod);

// The same where there is no template, as for `podctl get`: CIVITAI_API_KEY and HF_TOKEN, without
// the stored login, which only a template that lists HF_TOKEN asks for (spec §6). The caller puts
// credentials_in() of its sources into in_sources.
Secrets read_hub_secrets();

// Of what is known before any template is read: podctl's own environment.
Redactor environment_redactor();

// ?token= of each source's URL, bound to the origin that it was written for: the hub that the URL
// names, or the mirror of $HF_ENDPOINT.
std::vector<http::Credential> credentials_in(std::span<const hub::Source> sources);

Redactor redactor_of(const Secrets& secrets);

// Where the tokens that podctl itself uses may go: Civitai's key, Hugging Face's and GitHub's token
// to the hub of each, GIT_TOKEN_git_example_com to https://git.example.com/, and each to the mirror
// of that hub's whole origin, if `mirrors` has one.
std::vector<http::Credential> credentials_of(const Secrets& secrets, const Mirrors& mirrors);

// An origin that is going to be given a secret by podctl.
struct Recipient {
    std::string secret, origin;
    enum class By { hub, users_mirror, templates_mirror } by = By::hub;

    friend bool operator==(const Recipient&, const Recipient&) = default;
};
const char* word_of(
    Recipient::By by);  // "the hub", "a mirror of yours", "a mirror of the template"

// Those of a template's models and repositories, without repetition.
std::vector<Recipient> recipients_of(const tmpl::Template& pod, const Secrets& secrets);

// The first URL that is asked for a source: of a hub its root.
std::string first_url_of(const hub::Source& source);

}  // namespace podctl::run
