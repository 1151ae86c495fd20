// What Hugging Face's users paste: hf:ORG/REPO/PATH and the URLs of a file.
#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"

#include "source_forms.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace podctl::hub {
namespace {

constexpr std::string_view short_form = "hf:[datasets/|spaces/]ORG/REPO[@REV][/PATH]";
constexpr std::string_view hub_prefix = "https://huggingface.co/";

// A revision as git names it: refs/pr/1 and refs/convert/parquet hold slashes of their own.
std::string take_revision(std::vector<std::string>& segments) {
    std::size_t count = 1;
    if (segments.size() >= 3 && segments[0] == "refs" &&
        (segments[1] == "pr" || segments[1] == "convert"))
        count = 3;
    std::string revision = segments[0];
    for (std::size_t i = 1; i < count; ++i)
        revision += "/" + segments[i];
    segments.erase(segments.begin(), segments.begin() + static_cast<std::ptrdiff_t>(count));
    return revision;
}

std::string join_path(const std::vector<std::string>& segments, std::string_view text) {
    std::string path;
    for (const auto& segment : segments) {
        if (segment.empty() || segment == "." || segment == "..")
            refuse_source(text, "the path in the repository has an empty, . or .. part");
        if (segment.find('\0') != std::string::npos) refuse_source(text, "a zero byte in the path");
        path += (path.empty() ? "" : "/") + segment;
    }
    return path;
}

// The rest of a source, with or without a slash at its end.
void take_path(std::vector<std::string> segments, std::string_view text,
               HuggingFaceSource& source) {
    const bool is_marked = !segments.empty() && segments.back().empty();
    if (is_marked) segments.pop_back();
    source.path = join_path(segments, text);
    source.is_folder = is_marked || segments.empty();
}

// Pages of the hub itself, which no organisation can be called as.
bool is_word_of_site(std::string_view word) {
    constexpr std::array words{"models",   "docs",          "blog",    "papers", "collections",
                               "api",      "settings",      "pricing", "posts",  "tasks",
                               "learn",    "organizations", "join",    "login",  "enterprise",
                               "datasets", "spaces"};
    return std::ranges::find(words, word) != words.end();
}

// What nobody calls a folder or a repository.
bool has_models_extension(std::string_view name) {
    const std::string lower = to_lower(name);
    constexpr std::array extensions{".safetensors", ".sft", ".gguf", ".ckpt", ".pt",
                                    ".pth",         ".bin", ".onnx", ".json"};
    return std::ranges::any_of(extensions,
                               [&](std::string_view end) { return lower.ends_with(end); });
}

HuggingFaceSource::Kind take_kind(std::vector<std::string>& segments) {
    if (segments.empty() || (segments[0] != "datasets" && segments[0] != "spaces"))
        return HuggingFaceSource::Kind::model;
    const auto kind = segments[0] == "datasets" ? HuggingFaceSource::Kind::dataset
                                                : HuggingFaceSource::Kind::space;
    segments.erase(segments.begin());
    return kind;
}

void check_repository(const std::string& name, std::string_view text) {
    const auto is_name_character = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.' || c == '/';
    };
    const auto parts = split(name, '/');
    const bool odd = std::ranges::any_of(
        parts, [](const std::string& part) { return part.empty() || part == "." || part == ".."; });
    if (odd || !std::ranges::all_of(name, is_name_character))
        refuse_source(text, fmt::format("\"{}\" is no repository", name), short_form);
}

std::string checked_revision(std::string revision, std::string_view text) {
    // An empty part or a dot would let the URL mean another path.
    for (const auto& part : split(revision, '/'))
        if (part.empty() || part == "." || part == "..")
            refuse_source(text, fmt::format("\"{}\" is no revision", revision), short_form);
    return revision;
}

// nullopt: not set, or it names the hub itself. Throws Error{usage}.
std::optional<Url> endpoint() {
    const char* value = std::getenv("HF_ENDPOINT");
    const std::string_view text = trim(value ? value : "");
    if (text.empty()) return std::nullopt;
    auto url = parse_url(text);
    if (!url || (url->scheme != "https" && url->scheme != "http") || url->host.empty())
        throw Error{ErrorKind::usage, "HF_ENDPOINT is no http(s) URL",
                    "set it to the mirror's address, https://HOST, or unset it"};
    while (url->path.ends_with('/'))
        url->path.pop_back();
    url->query.clear();
    url->fragment.clear();
    if (is_hugging_face_host(url->host) && url->path.empty() && url->scheme == "https")
        return std::nullopt;
    return url;
}

}  // namespace

bool is_hugging_face_host(std::string_view host) {
    return host == "huggingface.co" || host == "www.huggingface.co" || host == "hf.co";
}

HuggingFaceSource parse_hf(std::string_view rest, std::string_view text) {
    auto segments = split(rest, '/');
    HuggingFaceSource source{.kind = take_kind(segments)};
    if (segments.size() < 2 || (segments.size() == 2 && has_models_extension(segments[1])))
        refuse_source(text, "names no repository", short_form);
    std::string_view repo = segments[1];
    const bool has_revision = repo.find('@') != repo.npos;
    source.repository = segments[0] + "/" + std::string(take_until(repo, '@'));
    const std::string revision{repo};
    segments.erase(segments.begin(), segments.begin() + (has_revision ? 1 : 2));
    if (has_revision) {
        segments[0] = revision;
        source.revision = checked_revision(percent_decode(take_revision(segments)), text);
    }
    check_repository(source.repository, text);
    take_path(std::move(segments), text, source);
    return source;
}

Source parse_hf_url(const Url& url, std::string_view text) {
    auto segments = path_segments(url);
    HuggingFaceSource hub{.kind = take_kind(segments)};
    const auto is_verb = [](const std::string& word) {
        return word == "resolve" || word == "blob" || word == "raw" || word == "tree";
    };
    // A few old repositories have no organisation.
    const auto verb = std::find_if(segments.begin(), segments.end(), is_verb);
    const auto names = verb - segments.begin();
    const bool is_tree = verb != segments.end() && *verb == "tree";
    const bool is_page = verb == segments.end() && names == 2 && !is_word_of_site(segments.front());
    const auto least = is_page ? 0 : is_tree ? 2 : 3;
    if (names < 1 || names > 2 || (verb == segments.end() && !is_page) ||
        segments.end() - verb < least)
        refuse_source(
            text, "a page of Hugging Face that is no file and no repository",
            "use the address of the file, …/ORG/REPO/resolve/REVISION/PATH, or hf:ORG/REPO/PATH");
    hub.repository = segments[0] + (names == 2 ? "/" + segments[1] : "");
    segments.erase(segments.begin(), is_page ? verb : verb + 1);
    if (!is_page) hub.revision = checked_revision(take_revision(segments), text);
    check_repository(hub.repository, text);
    const bool names_file = is_tree && !segments.empty() && has_models_extension(segments.back());
    hub.path = join_path(segments, text);
    hub.is_folder = is_page || (is_tree && !names_file);
    if (hub.path.empty() && !hub.is_folder)
        refuse_source(text, "names no file of the repository", short_form);
    Source source{.text = std::string(text)};
    if (names_file)
        source.note =
            fmt::format("{} was taken for a file, not a folder, of {}", hub.path, hub.repository);
    source.location = std::move(hub);
    return source;
}

std::optional<Url> under_endpoint(const Url& url) {
    std::optional<Url> mirror;
    try {
        mirror = endpoint();
    } catch (const Error&) {
        return std::nullopt;  // endpoint_mirrors() tells
    }
    if (!mirror || mirror->origin() != url.origin()) return std::nullopt;
    if (!url.path.starts_with(mirror->path + "/")) return std::nullopt;
    Url rest = url;
    rest.path.erase(0, mirror->path.size());
    return rest;
}

std::vector<std::pair<std::string, std::string>> endpoint_mirrors() {
    const auto mirror = endpoint();
    if (!mirror) return {};
    return {{std::string(hub_prefix), mirror->to_string() + "/"}};
}

}  // namespace podctl::hub
