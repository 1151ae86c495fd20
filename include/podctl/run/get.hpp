#pragma once

#include "podctl/base/error.hpp"
#include "podctl/base/url.hpp"
#include "podctl/download/get.hpp"
#include "podctl/event/event.hpp"
#include "podctl/http/http.hpp"
#include "podctl/hub/batch.hpp"
#include "podctl/hub/folder.hpp"
#include "podctl/run/secrets.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <vector>

namespace podctl::run {

// What `podctl get` is asked for: files without a template, and so without a root, a journal or a
// lock.
struct GetRequest {
    // In the order in which they begin, each with the folder that it goes into. A folder of a hub
    // stands for those of its files that the globs choose.
    std::vector<hub::BatchEntry> entries = {};
    hub::Globs globs = {};
    // What is asked of every file; name and sha256 are of a single one. The entries say source,
    // resolved and folder.
    download::GetRequest common = {};
    Secrets secrets = {};
    Mirrors mirrors = {};
    http::Options http = {};  // get() adds the credentials and the mirrors' places
    int attempts = 5;
    std::chrono::milliseconds pause{0};  // between the beginnings of two files
    std::filesystem::path store = {};    // of models (download/store.hpp); empty: none
};

struct GetResult {
    std::optional<ErrorKind> failure = {};  // of the file that failed first
    std::uint64_t downloaded_bytes = 0;
};

// Brings the files, each as a step of one plan: StepStarted, StepFinished and FileReady, or
// StepFailed, which keeps no other file away. A folder that cannot be listed has failed, too. What
// the events tell may hold secrets: `events` takes them out. A stop ends what is under way, and
// nothing else begins. Throws what is wrong before the first file.
GetResult get(const GetRequest& request, EventSink& events, const std::stop_token& stop);

}  // namespace podctl::run
