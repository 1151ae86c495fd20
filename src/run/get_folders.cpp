#include "get_folders.hpp"

#include "podctl/base/error.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace podctl::run {
namespace {

std::vector<hub::BatchEntry> files_of(const hub::BatchEntry& entry,
                                      const FolderQuestion& question) {
    const auto& hub = std::get<hub::HuggingFaceSource>(entry.source.location);
    const auto folder = hub::list_folder(entry.source, question.http, question.mirrors,
                                         question.retry, question.stop);
    const auto chosen = hub::chosen_of(folder, question.globs);
    if (const auto error = hub::impossible_in(chosen, entry.source.text, "--exclude")) throw *error;
    std::vector<hub::BatchEntry> files;
    for (const auto& file : chosen.files) {
        const std::filesystem::path place = file.path;
        files.push_back({.source = hub::source_of_file(hub, file),
                         .origin = entry.origin,
                         .folder = entry.folder / place.parent_path(),
                         .file = place.filename()});
        files.back().source.token_in_query = entry.source.token_in_query;
        // Where a listing has no digest, the file's own headers may.
        if (!file.file.sha256.empty() || !file.file.git_blob.empty())
            files.back().listed = file.file;
    }
    if (files.empty())
        throw Error{ErrorKind::usage,
                    fmt::format("{}: none of its {} files is chosen", entry.source.text,
                                folder.files.size()),
                    "--include and --exclude take globs of paths within it: 'vae/*'"};
    return files;
}

}  // namespace

std::vector<hub::BatchEntry> with_files_of_folders(const std::vector<hub::BatchEntry>& entries,
                                                   const FolderQuestion& question) {
    std::vector<hub::BatchEntry> all;
    for (const auto& entry : entries) {
        if (!hub::is_folder(entry.source)) {
            all.push_back(entry);
            continue;
        }
        try {
            auto files = files_of(entry, question);
            std::move(files.begin(), files.end(), std::back_inserter(all));
        } catch (const std::exception& caught) {
            question.on_failure(entry, as_error(caught));
        }
    }
    return all;
}

plan::FetchModel model_of(const hub::BatchEntry& entry, const download::GetRequest& common) {
    const bool is_flat = common.layout == download::NameLayout::flat;
    return {.source = entry.source,
            .resolved = entry.listed,
            .folder = entry.folder.string(),
            .name = entry.file.empty() ? common.name : entry.file.filename().string(),
            .sha256 = entry.sha256.empty() ? common.sha256 : entry.sha256,
            .layout = is_flat ? tmpl::Layout::flat : tmpl::Layout::civitdl,
            .allow_pickle = common.pickle == download::GetRequest::Pickle::allow,
            .trusted = hub::is_listed(entry.source, common.trust),
            .target = {}};
}

download::GetRequest request_of(const plan::FetchModel& model, download::GetRequest common) {
    using Pickle = download::GetRequest::Pickle;
    common.source = model.source;
    common.resolved = model.resolved;
    common.folder = model.folder;
    common.name = model.name;
    common.sha256 = model.sha256;
    common.pickle = model.allow_pickle ? Pickle::allow : Pickle::refuse;
    common.trust.clear();
    if (model.trusted) common.trust = {model.source.text};
    return common;
}

}  // namespace podctl::run
