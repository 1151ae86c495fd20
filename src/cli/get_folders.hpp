#pragma once

#include "podctl/fetch/batch.hpp"
#include "podctl/fetch/folder.hpp"
#include "podctl/fetch/get.hpp"

#include <exception>
#include <functional>
#include <stop_token>
#include <vector>

namespace podctl::cli {

// What asking for a folder's files takes.
struct FolderQuestion {
    const fetch::Globs& globs;
    fetch::HttpClient& http;
    const Mirrors& mirrors;
    fetch::RetryPolicy retry;
    std::stop_token stop;
    std::function<void(const fetch::BatchEntry&, const std::exception_ptr&)> on_failure;
};

// Throws Error{usage} when an input list says of a folder what only a file can have.
void require_options_of_folders(const std::vector<fetch::BatchEntry>& entries);

// In place of each folder of a hub its files, each with its place below the folder of its entry.
// One that cannot be listed is left out and told.
std::vector<fetch::BatchEntry> with_files_of_folders(const std::vector<fetch::BatchEntry>& entries,
                                                     const FolderQuestion& question);

// What is to be got for an entry; all else as in `common`.
fetch::GetRequest request_of(const fetch::BatchEntry& entry, fetch::GetRequest common);

}  // namespace podctl::cli
