#pragma once

#include "podctl/base/error.hpp"
#include "podctl/download/get.hpp"
#include "podctl/hub/batch.hpp"
#include "podctl/hub/folder.hpp"
#include "podctl/plan/plan.hpp"

#include <functional>
#include <stop_token>
#include <vector>

// What `podctl get` makes of its sources: files, as steps of a plan.
namespace podctl::run {

// What asking for a folder's files takes.
struct FolderQuestion {
    const hub::Globs& globs;
    http::Client& http;
    const Mirrors& mirrors;
    http::RetryPolicy retry;
    std::stop_token stop;
    std::function<void(const hub::BatchEntry&, const Error&)> on_failure;
};

// In place of each folder of a hub its files, each with its place below the folder of its entry.
// One that cannot be listed is left out and told.
std::vector<hub::BatchEntry> with_files_of_folders(const std::vector<hub::BatchEntry>& entries,
                                                   const FolderQuestion& question);

// An entry as a step's action; what it does not say itself is as in `common`.
plan::FetchModel model_of(const hub::BatchEntry& entry, const download::GetRequest& common);

// What is to be got for it. `common` says what no template can ask for: metadata, another sorter of
// civitdl's, and what happens to another file at the place.
download::GetRequest request_of(const plan::FetchModel& model, download::GetRequest common);

}  // namespace podctl::run
