#pragma once

#include "podctl/download/get.hpp"
#include "podctl/hub/batch.hpp"
#include "podctl/hub/folder.hpp"

#include <exception>
#include <functional>
#include <stop_token>
#include <vector>

namespace podctl::cli {

// What asking for a folder's files takes.
struct FolderQuestion {
    const hub::Globs& globs;
    http::Client& http;
    const Mirrors& mirrors;
    http::RetryPolicy retry;
    std::stop_token stop;
    std::function<void(const hub::BatchEntry&, const std::exception_ptr&)> on_failure;
};

// Throws Error{usage} when an input list says of a folder what only a file can have.
void require_options_of_folders(const std::vector<hub::BatchEntry>& entries);

// In place of each folder of a hub its files, each with its place below the folder of its entry.
// One that cannot be listed is left out and told.
std::vector<hub::BatchEntry> with_files_of_folders(const std::vector<hub::BatchEntry>& entries,
                                                   const FolderQuestion& question);

// What is to be got for an entry; all else as in `common`.
download::GetRequest request_of(const hub::BatchEntry& entry, download::GetRequest common);

}  // namespace podctl::cli
