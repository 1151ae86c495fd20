// What Civitai's users paste: pages, API and download URLs, AIRs, ids.
#include "podctl/base/names.hpp"

#include "source_forms.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace podctl::hub {
namespace {

// Civitai's name for a format, which an AIR gives as the file's extension.
std::string format_of_extension(std::string_view extension) {
    const auto lower = to_lower(extension);
    if (lower == "safetensors" || lower == "safetensor") return "SafeTensor";
    if (lower == "ckpt" || lower == "pt" || lower == "pth" || lower == "bin") return "PickleTensor";
    return std::string(extension);
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

// An AIR that lacks its urn:air: is known by its source, the last part but one.
bool names_a_source(const std::vector<std::string>& parts) {
    return parts.size() >= 2 && parts.size() <= 5 &&
           std::ranges::any_of(parts,
                               [](const std::string& part) { return to_lower(part) == "civitai"; });
}

}  // namespace

bool is_civitai_host(std::string_view host) {
    static constexpr std::array<std::string_view, 4> names{"civitai.com", "www.civitai.com",
                                                           "civitai.red", "www.civitai.red"};
    return std::ranges::find(names, host) != names.end();
}

Source parse_civitai_id(std::string_view id, std::string_view text) {
    CivitaiSource civitai;
    Source source{.text = std::string(text)};
    std::string_view rest = id;
    if (const auto dot = rest.find('.'); dot != rest.npos) {
        civitai.format = format_of_extension(rest.substr(dot + 1));
        if (civitai.format.empty()) refuse_source(text, "an empty format after the dot");
        rest = rest.substr(0, dot);
    }
    if (const auto colon = rest.find(':'); colon != rest.npos) {
        // A layer is a part within a file, and Civitai gives files.
        if (colon + 1 < rest.size())
            source.note =
                fmt::format("the AIR's layer \"{}\" is no file: the whole file is fetched",
                            rest.substr(colon + 1));
        rest = rest.substr(0, colon);
    }
    if (const auto plus = rest.find('+'); plus != rest.npos) {
        civitai.file = parse_id(rest.substr(plus + 1), text, "file id");
        rest = rest.substr(0, plus);
    }
    const bool has_version = rest.find('@') != rest.npos;
    civitai.model = parse_id(take_until(rest, '@'), text, "model id");
    if (has_version) civitai.version = parse_id(rest, text, "version id");
    source.location = civitai;
    return source;
}

std::optional<Source> parse_air(std::string_view text) {
    auto rest = text;
    bool has_prefix = false;
    for (const std::string_view prefix : {"urn:", "air:"}) {
        if (to_lower(rest.substr(0, 4)) != prefix) continue;
        has_prefix = true;
        rest.remove_prefix(4);
    }
    const auto parts = split(rest, ':');
    if (!has_prefix && (!names_a_source(parts) || rest.find('/') != rest.npos)) return std::nullopt;
    // [ECOSYSTEM:][TYPE:]SOURCE:ID[:LAYER]
    const auto is_civitai = [](const std::string& part) { return to_lower(part) == "civitai"; };
    const auto at = std::ranges::find_if(parts, is_civitai);
    if (at == parts.end() && parts.size() >= 3)
        refuse_source(text, fmt::format("an AIR of \"{}\"", parts.size() > 3 ? parts[2] : parts[1]),
                      "only AIRs of civitai are known; use hf: or a URL");
    if (at == parts.end() || at - parts.begin() > 2 || at + 1 == parts.end())
        refuse_source(text, "not an AIR", "an AIR is urn:air:ECOSYSTEM:TYPE:civitai:MODEL@VERSION");
    std::string id = *(at + 1);
    for (auto part = at + 2; part != parts.end(); ++part)
        id += ":" + *part;
    return parse_civitai_id(id, text);
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
        if (!is_sha256(segments[4])) refuse_source(text, "by-hash wants a whole SHA-256");
        source.sha256 = to_lower(segments[4]);
    } else if (begins_with(segments, {"api", "v1", "model-versions"})) {
        source.version = parse_id(segments[3], text, "version id");
    } else if (begins_with(segments, {"api", "v1", "models"})) {
        source.model = parse_id(segments[3], text, "model id");
    } else if (begins_with(segments, {"model-versions"})) {
        source.version = parse_id(segments[1], text, "version id");
    } else if (begins_with(segments, {"models"})) {
        source.model = parse_id(segments[1], text, "model id");
        source.version = id_parameter(url, "modelVersionId", text);
    } else {
        refuse_source(text, "a page of Civitai that is no model",
                      "use the address of the model's page, …/models/ID?modelVersionId=VERSION");
    }
    return source;
}

}  // namespace podctl::hub
