#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace podctl::hub {

// A file on Civitai. Facts: https://github.com/civitai/civitai (API v1).
struct CivitaiSource {
    std::string origin = "https://civitai.com";  // or https://civitai.red
    std::optional<long long> model = {};         // at least one of model, version, sha256
    std::optional<long long> version = {};       // absent: the model's newest
    std::optional<long long> file = {};  // files[].id; absent: the primary file, or by the filters
    std::string sha256 = {};             // by-hash look-up
    // Filters of /api/download/models/ID?type=&format=&size=&fp=
    std::string type = {}, format = {}, size = {}, precision = {};
    // `model` was written as a number and nothing else. Model and version ids share one number
    // space, so it may have been meant for a version: resolve() tells.
    bool bare_number = false;
};

struct HuggingFaceSource {
    enum class Kind { model, dataset, space } kind = Kind::model;
    std::string repository = {};  // ORG/REPO
    std::string revision = "main";
    std::string path = {};  // in the repository, decoded
    // `path` is a folder, or empty: the whole repository (list_folder(), podctl/hub/folder.hpp).
    bool is_folder = false;
    std::string endpoint = "https://huggingface.co";
};

struct UrlSource {
    std::string url = {};  // http, https or file
};

using Location = std::variant<CivitaiSource, HuggingFaceSource, UrlSource>;

struct Source {
    std::string text = {};  // as the user wrote it, a token in its query taken out
    Location location = {};
    // ?token= was found: it belongs into the header, never into a URL.
    std::string token_in_query = {};
    // How an ambiguous form was taken ("299933 was taken for a Civitai model id …").
    std::string note = {};
};

// Every form of spec §2:
//
//   hf:[datasets/|spaces/]ORG/REPO[@REV]/PATH, also as hf://…, with @refs/pr/N or @a%2Fb; a PATH
//   with a slash at its end, or none, means all files there
//
//   a Hugging Face resolve, blob or raw URL of a file, the tree URL of a folder or a repository's
//   page, of huggingface.co, hf.co or $HF_ENDPOINT
//
//   civitai:MODEL[@VERSION][+FILE][.FORMAT], an AIR (with or without urn:air:)
//
//   a Civitai model page, version page, API or download URL, of civitai.com or civitai.red
//
//   a SHA-256, bare or after sha256:
//
//   a bare number: a Civitai model id, as civitdl takes it
//
//   any other http(s) or file:// URL
//
// A hub's URL may lack its https://. What names a hub goes to it by https, whatever was written.
// Throws Error{template_} that says what forms there are.
Source parse_source(std::string_view text);

// The same for sources that mean one file of one place, however they were written.
std::string location_key(const Location& location);

// Whether one of the sources of a list, in any form, means the file of `source`.
bool is_listed(const Source& source, std::span<const std::string> list);

// $HF_ENDPOINT names a mirror of Hugging Face, as huggingface_hub takes it:
// {https://huggingface.co/, $HF_ENDPOINT/}, to be handed to Mirrors beside the user's own. Empty
// when it is not set or names the hub itself. Throws Error{usage} when it is no http(s) URL.
std::vector<std::pair<std::string, std::string>> endpoint_mirrors();

}  // namespace podctl::hub
