#include "podctl/fetch/source.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/url.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace podctl::fetch {
namespace {

constexpr std::string_view known_forms =
    "a source is hf:ORG/REPO[@REV]/PATH, civitai:MODEL[@VERSION], an AIR, a Civitai or Hugging "
    "Face "
    "URL, a SHA-256, a Civitai model id, or any http(s) or file:// URL";

[[noreturn]] void refuse(std::string_view text, std::string_view why,
                         std::string_view hint = known_forms) {
    throw Error{ErrorKind::template_, fmt::format("source \"{}\": {}", text, why),
                std::string(hint)};
}

long long parse_id(std::string_view digits, std::string_view text, std::string_view what) {
    long long id = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
    if (error != std::errc{} || end != digits.data() + digits.size() || id <= 0)
        refuse(text, fmt::format("\"{}\" is no {}", digits, what));
    return id;
}

bool is_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_sha256(std::string_view text) {
    return text.size() == 64 &&
           text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

// The part before `mark`, which is cut off `rest` with it; all of `rest` when there is no mark.
std::string_view take_until(std::string_view& rest, char mark) {
    const auto at = rest.find(mark);
    const auto part = rest.substr(0, at);
    rest = at == rest.npos ? std::string_view{} : rest.substr(at + 1);
    return part;
}

// Civitai's name for a format, which an AIR gives as the file's extension.
std::string format_of_extension(std::string_view extension) {
    const auto lower = to_lower(extension);
    if (lower == "safetensors" || lower == "safetensor") return "SafeTensor";
    if (lower == "ckpt" || lower == "pt" || lower == "pth" || lower == "bin") return "PickleTensor";
    return std::string(extension);
}

// MODEL[@VERSION][+FILE][.FORMAT], the tail of an AIR and of civitai:.
CivitaiSource parse_civitai_id(std::string_view id, std::string_view text) {
    CivitaiSource source;
    std::string_view rest = id;
    const auto format_at = rest.find('.');
    if (format_at != rest.npos) {
        source.format = format_of_extension(rest.substr(format_at + 1));
        rest = rest.substr(0, format_at);
    }
    if (const auto plus = rest.find('+'); plus != rest.npos) {
        source.file = parse_id(rest.substr(plus + 1), text, "file id");
        rest = rest.substr(0, plus);
    }
    const bool has_version = rest.find('@') != rest.npos;
    source.model = parse_id(take_until(rest, '@'), text, "model id");
    if (has_version) source.version = parse_id(rest, text, "version id");
    return source;
}

// [urn:air:]ECOSYSTEM:TYPE:civitai:ID. nullopt: not an AIR.
std::optional<CivitaiSource> parse_air(std::string_view text) {
    auto rest = text;
    const bool has_prefix = to_lower(rest.substr(0, 8)) == "urn:air:";
    if (has_prefix) rest.remove_prefix(8);
    const auto parts = split(rest, ':');
    if (!has_prefix && (parts.size() != 4 || rest.find('/') != rest.npos)) return std::nullopt;
    if (parts.size() != 4)
        refuse(text, "not an AIR", "an AIR is urn:air:ECOSYSTEM:TYPE:civitai:MODEL@VERSION");
    if (to_lower(parts[2]) != "civitai")
        refuse(text, fmt::format("an AIR of \"{}\"", parts[2]),
               "only AIRs of civitai are known; use hf: or a URL");
    return parse_civitai_id(parts[3], text);
}

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
            refuse(text, "the path in the repository has an empty, . or .. part");
        if (segment.find('\0') != std::string::npos) refuse(text, "a zero byte in the path");
        path += (path.empty() ? "" : "/") + segment;
    }
    if (path.empty()) refuse(text, "names no file of the repository", "hf:ORG/REPO[@REV]/PATH");
    return path;
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
        refuse(text, fmt::format("\"{}\" is no repository", name), "hf:ORG/REPO[@REV]/PATH");
}

HuggingFaceSource parse_hf(std::string_view text) {
    auto segments = split(text.substr(3), '/');
    HuggingFaceSource source{.kind = take_kind(segments)};
    if (segments.size() < 3)
        refuse(text, "names no file of a repository", "hf:ORG/REPO[@REV]/PATH");
    std::string_view repo = segments[1];
    const bool has_revision = repo.find('@') != repo.npos;
    source.repository = segments[0] + "/" + std::string(take_until(repo, '@'));
    const std::string revision{repo};
    segments.erase(segments.begin(), segments.begin() + (has_revision ? 1 : 2));
    if (has_revision) {
        segments[0] = revision;
        source.revision = percent_decode(take_revision(segments));
        if (source.revision.empty())
            refuse(text, "an empty revision after @", "hf:ORG/REPO[@REV]/PATH");
    }
    check_repository(source.repository, text);
    source.path = join_path(segments, text);
    return source;
}

// ?token=VALUE leaks into logs, so it leaves the text; the rest of the query stays as it was.
std::string take_token(Url& url) {
    std::string token, kept;
    for (const auto& pair : split(url.query, '&')) {
        if (pair.starts_with("token="))
            token = percent_decode(std::string_view(pair).substr(6));
        else
            kept += (kept.empty() ? "" : "&") + pair;
    }
    url.query = kept;
    return token;
}

std::vector<std::string> path_segments(const Url& url) {
    std::vector<std::string> segments;
    for (const auto& segment : split(url.path, '/'))
        if (!segment.empty()) segments.push_back(percent_decode(segment));
    return segments;
}

bool begins_with(const std::vector<std::string>& segments,
                 std::initializer_list<const char*> words) {
    return segments.size() > words.size() &&
           std::equal(words.begin(), words.end(), segments.begin());
}

std::optional<long long> id_parameter(const Url& url, std::string_view name,
                                      std::string_view text) {
    const auto value = url.parameter(name);
    if (!value || value->empty()) return std::nullopt;
    return parse_id(*value, text, fmt::format("{} (a number)", name));
}

CivitaiSource parse_civitai_url(const Url& url, std::string_view text) {
    const auto segments = path_segments(url);
    CivitaiSource source{.origin = url.host.ends_with("civitai.red") ? "https://civitai.red"
                                                                     : "https://civitai.com"};
    source.file = id_parameter(url, "fileId", text);
    source.type = url.parameter("type").value_or("");
    source.format = url.parameter("format").value_or("");
    source.size = url.parameter("size").value_or("");
    source.precision = url.parameter("fp").value_or("");
    if (begins_with(segments, {"api", "download", "models"})) {
        source.version = parse_id(segments[3], text, "version id");
    } else if (begins_with(segments, {"api", "v1", "model-versions", "by-hash"})) {
        if (!is_sha256(segments[4])) refuse(text, "by-hash wants a whole SHA-256");
        source.sha256 = to_lower(segments[4]);
    } else if (begins_with(segments, {"api", "v1", "model-versions"})) {
        source.version = parse_id(segments[3], text, "version id");
    } else if (begins_with(segments, {"api", "v1", "models"})) {
        source.model = parse_id(segments[3], text, "model id");
    } else if (begins_with(segments, {"models"})) {
        source.model = parse_id(segments[1], text, "model id");
        source.version = id_parameter(url, "modelVersionId", text);
    } else {
        refuse(text, "a page of Civitai that is no model",
               "use the address of the model's page, …/models/ID?modelVersionId=VERSION");
    }
    return source;
}

HuggingFaceSource parse_hf_url(const Url& url, std::string_view text) {
    auto segments = path_segments(url);
    HuggingFaceSource source{.kind = take_kind(segments)};
    const auto is_verb = [](const std::string& word) {
        return word == "resolve" || word == "blob" || word == "raw";
    };
    // A few old repositories have no organisation.
    const auto verb = std::find_if(segments.begin(), segments.end(), is_verb);
    const auto names = verb - segments.begin();
    if (verb == segments.end() || names < 1 || names > 2 || segments.end() - verb < 3)
        refuse(
            text, "a page of Hugging Face that is no file",
            "use the address of the file, …/ORG/REPO/resolve/REVISION/PATH, or hf:ORG/REPO/PATH");
    source.repository = segments[0] + (names == 2 ? "/" + segments[1] : "");
    segments.erase(segments.begin(), verb + 1);
    source.revision = take_revision(segments);
    check_repository(source.repository, text);
    source.path = join_path(segments, text);
    return source;
}

bool is_host(const Url& url, std::initializer_list<std::string_view> names) {
    const bool usual_port = !url.port || *url.port == 443;
    return url.scheme != "file" && usual_port &&
           std::ranges::find(names, std::string_view(url.host)) != names.end();
}

Source parse_url_source(std::string_view text, Url url) {
    if (url.scheme != "http" && url.scheme != "https" && url.scheme != "file")
        refuse(text, fmt::format("{}:// is not known", url.scheme));
    const bool civitai =
        is_host(url, {"civitai.com", "www.civitai.com", "civitai.red", "www.civitai.red"});
    const bool hf = is_host(url, {"huggingface.co", "www.huggingface.co", "hf.co"});
    Source source{.text = std::string(text), .location = UrlSource{std::string(text)}};
    if (civitai || hf) {
        source.token_in_query = take_token(url);
        if (!source.token_in_query.empty()) source.text = url.to_string();
        source.location = civitai ? Location{parse_civitai_url(url, source.text)}
                                  : Location{parse_hf_url(url, source.text)};
    }
    if (url.scheme == "file" &&
        (url.path.size() < 2 || !(url.host.empty() || url.host == "localhost")))
        refuse(text, "a file URL wants an absolute path", "file:///path/to/file");
    return source;
}

}  // namespace

Source parse_source(std::string_view given) {
    const auto text = trim(given);
    Source source{.text = std::string(text)};
    if (text.empty()) refuse(text, "is empty");
    if (is_digits(text)) {
        source.location = CivitaiSource{.model = parse_id(text, text, "model id")};
        source.note = fmt::format("{} was taken for a Civitai model id, not a version id", text);
        return source;
    }
    const auto hash = text.starts_with("sha256:") ? text.substr(7) : text;
    if (is_sha256(hash)) {
        source.location = CivitaiSource{.sha256 = to_lower(hash)};
        return source;
    }
    if (text.starts_with("hf:") && !text.starts_with("hf://")) {
        source.location = parse_hf(text);
        return source;
    }
    if (text.starts_with("civitai:") && !text.starts_with("civitai://")) {
        source.location = parse_civitai_id(text.substr(8), text);
        return source;
    }
    if (const auto url = parse_url(text)) return parse_url_source(text, *url);
    if (const auto air = parse_air(text)) {
        source.location = *air;
        return source;
    }
    refuse(text, "is no source that podctl knows");
}

}  // namespace podctl::fetch
