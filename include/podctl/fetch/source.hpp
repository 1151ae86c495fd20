#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace podctl::fetch {

// A file on Civitai. Facts: https://github.com/civitai/civitai (API v1).
struct CivitaiSource {
    std::string origin = "https://civitai.com";  // or https://civitai.red
    std::optional<long long> model = {};         // at least one of model, version, sha256
    std::optional<long long> version = {};       // absent: the model's newest
    std::optional<long long> file = {};  // files[].id; absent: the primary file, or by the filters
    std::string sha256 = {};             // by-hash look-up
    // Filters of /api/download/models/ID?type=&format=&size=&fp=
    std::string type = {}, format = {}, size = {}, precision = {};
};

struct HuggingFaceSource {
    enum class Kind { model, dataset, space } kind = Kind::model;
    std::string repository = {};  // ORG/REPO
    std::string revision = "main";
    std::string path = {};  // in the repository, decoded
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

// Every form of spec §2: hf:[datasets/|spaces/]ORG/REPO[@REV]/PATH, civitai:MODEL[@VERSION], AIR
// (with or without urn:air:), a Civitai model page, API or download URL, a Hugging Face resolve or
// blob URL, a SHA-256, a bare number (a Civitai model id, as civitdl takes it), any http(s) or
// file:// URL. Throws Error{template_} that says what forms there are.
Source parse_source(std::string_view text);

}  // namespace podctl::fetch
