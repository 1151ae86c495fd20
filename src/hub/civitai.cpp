// Civitai's API v1, as https://github.com/civitai/civitai serves it.
#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/hub/civitdl.hpp"
#include "podctl/hub/hub_errors.hpp"

#include "civitai_api.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace podctl::hub {
namespace {

using namespace civitai_api;

struct File {
    long long id = 0;
    std::string name, type, format, size, precision, sha256, pickle_scan, virus_scan;
    std::optional<std::uint64_t> approximate_size;
    bool primary = false;
};

struct Version {
    long long id = 0;
    long long model_id = 0;
    std::string name, base_model, model_name, model_type;
    std::optional<std::vector<std::string>> tags;
    std::vector<File> files;
};

std::optional<std::uint64_t> bytes_of_kilobytes(const json& value) {
    if (!value.is_number()) return std::nullopt;
    const double bytes = std::round(value.get<double>() * 1024);
    constexpr double largest = 1e15;  // a petabyte: beyond that the hub is wrong
    if (!(bytes >= 0 && bytes < largest)) return std::nullopt;
    return static_cast<std::uint64_t>(bytes);
}

File file_of(const json& object) {
    const json& metadata = member(object, "metadata");
    File file;
    file.id = id_at(object, "id");
    file.name = text_at(object, "name");
    file.type = text_at(object, "type");
    file.format = text_at(metadata, "format");
    file.size = text_at(metadata, "size");
    file.precision = text_at(metadata, "fp");
    file.sha256 = to_lower(text_at(member(object, "hashes"), "SHA256"));
    if (!is_sha256(file.sha256)) file.sha256.clear();
    file.pickle_scan = text_at(object, "pickleScanResult");
    file.virus_scan = text_at(object, "virusScanResult");
    file.approximate_size = bytes_of_kilobytes(member(object, "sizeKB"));
    file.primary = member(object, "primary") == json(true);
    return file;
}

Version version_of(const json& object) {
    const json& model = member(object, "model");
    Version version;
    version.id = id_at(object, "id");
    version.model_id = id_at(object, "modelId");
    version.name = text_at(object, "name");
    version.base_model = text_at(object, "baseModel");
    version.model_name = text_at(model, "name");
    version.model_type = text_at(model, "type");
    for (const auto& file : member(object, "files"))
        version.files.push_back(file_of(file));
    return version;
}

std::vector<std::string> tags_of(const json& model) {
    std::vector<std::string> tags;
    for (const auto& tag : member(model, "tags"))
        if (tag.is_string()) tags.push_back(tag.get<std::string>());
    return tags;
}

// Model and version ids share one number space: a number that is no model may be a version. Throws
// when it is.
void check_is_no_version(const CivitaiSource& source, const std::string& what,
                         const Asking& asking) {
    const auto response = send_to_civitai(
        source.origin, fmt::format("/api/v1/model-versions/{}", *source.model), asking);
    if (response.status != 200) return;
    const auto version = version_of(parse_answer(response.body, what));
    if (version.id != *source.model || version.model_id <= 0) return;
    throw Error{
        ErrorKind::not_found, fmt::format("{}: no model on Civitai has this id", what),
        fmt::format("{0} is a version id (of model {1}{2}): write civitai:{1}@{0}", version.id,
                    version.model_id, version.model_name.empty() ? "" : ", " + version.model_name)};
}

json ask(const CivitaiSource& source, const std::string& path, const std::string& what,
         const Asking& asking) {
    const auto response = send_to_civitai(source.origin, path, asking);
    if (response.status == 404 && source.bare_number) check_is_no_version(source, what, asking);
    if (response.status != 200) throw refusal(response, source.origin + path, what);
    return parse_answer(response.body, what);
}

// The first version is the one that the model's page shows.
Version newest_version(const json& model, const std::string& what) {
    const std::string mode = text_at(model, "mode");
    if (mode == "Archived" || mode == "TakenDown")
        throw Error{
            ErrorKind::not_found,
            fmt::format("{}: {} on Civitai", what, mode == "Archived" ? "archived" : "taken down"),
            "name another model or another source"};
    for (const auto& object : member(model, "modelVersions")) {
        auto version = version_of(object);
        if (version.files.empty()) continue;
        version.model_id = id_at(model, "id");
        version.model_name = text_at(model, "name");
        version.model_type = text_at(model, "type");
        version.tags = tags_of(model);
        return version;
    }
    throw Error{ErrorKind::not_found, fmt::format("{}: the model has no version with a file", what),
                "name another model or another source"};
}

std::string api_path(const CivitaiSource& source) {
    if (source.version) return fmt::format("/api/v1/model-versions/{}", *source.version);
    if (source.model) return fmt::format("/api/v1/models/{}", *source.model);
    return "/api/v1/model-versions/by-hash/" + source.sha256;
}

// The version that the answer to api_path() is about.
Version version_in(const json& answer, const CivitaiSource& source, const std::string& what) {
    if (source.model && !source.version) return newest_version(answer, what);
    auto version = version_of(answer);
    if (!source.version) return version;
    if (version.id != *source.version)
        throw Error{ErrorKind::network,
                    fmt::format("{}: Civitai answers with version {} in place of {}", what,
                                version.id, *source.version),
                    "its API may have changed; use the file's own URL"};
    if (source.model && version.model_id != *source.model)
        throw Error{ErrorKind::not_found,
                    fmt::format("{}: version {} belongs to model {}, not to {}", what,
                                *source.version, version.model_id, *source.model),
                    "correct one of the two ids"};
    return version;
}

std::string list_of(const std::vector<File>& files) {
    std::string list;
    for (const auto& file : files)
        list += fmt::format("{}{} ({}, {}, fileId={})", list.empty() ? "" : "; ", file.name,
                            file.type, file.format, file.id);
    return list;
}

bool agrees(const std::string& wanted, const std::string& value) {
    return wanted.empty() || to_lower(wanted) == to_lower(value);
}

bool is_chosen_by(const CivitaiSource& source, const File& file) {
    if (source.file) return file.id == *source.file;
    if (!source.sha256.empty()) return file.sha256 == source.sha256;
    return agrees(source.type, file.type) && agrees(source.format, file.format) &&
           agrees(source.size, file.size) && agrees(source.precision, file.precision);
}

File choose_file(const CivitaiSource& source, const Version& version, const std::string& what) {
    std::vector<File> candidates;
    std::ranges::copy_if(version.files, std::back_inserter(candidates),
                         [&](const File& file) { return is_chosen_by(source, file); });
    if (candidates.empty())
        throw Error{
            ErrorKind::not_found, fmt::format("{}: version {} has no such file", what, version.id),
            version.files.empty() ? "it has no files at all" : "it has: " + list_of(version.files)};
    const auto primary = std::ranges::find_if(candidates, &File::primary);
    if (primary != candidates.end()) return *primary;
    if (candidates.size() == 1) return candidates.front();
    const auto is_model = [](const File& file) { return file.type == "Model"; };
    if (std::ranges::count_if(candidates, is_model) == 1)
        return *std::ranges::find_if(candidates, is_model);
    throw Error{
        ErrorKind::not_found,
        fmt::format("{}: version {} has several files and no primary one", what, version.id),
        "choose one by ?fileId=: " + list_of(candidates)};
}

bool is_danger(const std::string& result) {
    constexpr std::array words{"danger", "infected", "malicious", "unsafe"};
    return std::ranges::find(words, to_lower(result)) != words.end();
}

std::string scan_text(const char* scan, const File& file, const std::string& result) {
    return fmt::format("Civitai's {} scan of {} says {}", scan, file.name, result);
}

std::string verdict_of(const File& file) {
    if (is_danger(file.virus_scan)) return scan_text("virus", file, file.virus_scan);
    if (is_danger(file.pickle_scan)) return scan_text("pickle", file, file.pickle_scan);
    return {};
}

// What a bare number was taken for, and the scans that came to no end. One that has not run yet
// says nothing against a file.
std::string note_of(const CivitaiSource& source, const Version& version, const File& file) {
    std::string note;
    if (source.bare_number)
        note = fmt::format(
            "{} was taken for the Civitai model id ({}); version ids are written "
            "civitai:MODEL@VERSION",
            version.model_id, version.model_name);
    const auto add = [&](const char* scan, const std::string& result) {
        if (result.empty() || result == "Success" || result == "Pending" || is_danger(result))
            return;
        note += (note.empty() ? "" : "; ") + scan_text(scan, file, result);
    };
    add("pickle", file.pickle_scan);
    add("virus", file.virus_scan);
    return note;
}

ResolvedFile resolved_file(const CivitaiSource& source, const json& answer,
                           const std::string& what) {
    const Version version = version_in(answer, source, what);
    const File file = choose_file(source, version, what);
    if (version.id <= 0 || file.id <= 0)
        throw Error{ErrorKind::network, fmt::format("{}: Civitai's answer lacks the ids", what),
                    "its API may have changed; use the file's own URL"};
    const bool is_weights =
        file.type.empty() || file.type == "Model" || file.type == "Pruned Model";
    return {
        // Without fileId the account's preferences choose the file.
        .url =
            fmt::format("{}/api/download/models/{}?fileId={}", source.origin, version.id, file.id),
        .name = file.name,
        .approximate_size = file.approximate_size,
        .sha256 = file.sha256,
        .type = is_weights ? version.model_type : file.type,
        .model_name = version.model_name,
        .model_id = version.model_id,
        .version_id = version.id,
        .base_model = version.base_model,
        .tags = version.tags,
        .note = note_of(source, version, file),
        .verdict = verdict_of(file),
    };
}

}  // namespace

ResolvedFile read_civitai_answer(const CivitaiSource& source, std::string_view answer,
                                 const std::string& what) {
    return resolved_file(source, parse_answer(answer, what), what);
}

ResolvedFile resolve_civitai(const CivitaiSource& source, const std::string& what,
                             const Asking& asking) {
    return resolved_file(source, ask(source, api_path(source), what, asking), what);
}

void ask_civitai_tags(ResolvedFile& file, http::Client& http, const Mirrors& mirrors,
                      const http::RetryPolicy& retry, std::stop_token stop) {
    if (file.tags) return;
    if (file.model_id <= 0) {
        file.tags.emplace();
        return;
    }
    const auto path = fmt::format("/api/v1/models/{}", file.model_id);
    file.tags = tags_of(ask_civitai(origin_of(file.url), path, path, {http, mirrors, retry, stop}));
}

}  // namespace podctl::hub
