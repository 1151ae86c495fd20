#pragma once

#include "podctl/download/download.hpp"
#include "podctl/download/store.hpp"
#include "podctl/hub/civitdl.hpp"
#include "podctl/hub/resolve.hpp"
#include "podctl/hub/source.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace podctl::download {

enum class NameLayout { flat, civitdl, civitdl_tags };  // the last: by civitdl's tags sorter

struct GetRequest {
    hub::Source source = {};
    // What is known of it, with a digest, from a listing of its folder: the hub is not asked again.
    std::optional<hub::ResolvedFile> resolved = {};
    std::filesystem::path folder = {};
    std::string name = {};    // empty: the hub's or the server's name, made safe
    std::string sha256 = {};  // lower-case hex; empty: the hub's own, where it gives one
    NameLayout layout = NameLayout::flat;
    // What civitdl saves beside a file of Civitai; absent: nothing.
    std::optional<hub::CivitdlMetadataOptions> metadata = {};
    enum class Content { file_and_metadata, metadata_only } content = Content::file_and_metadata;
    enum class Pickle { refuse, allow } pickle = Pickle::refuse;
    std::vector<std::string> trust = {};  // sources that are taken against their hubs' verdicts
    // What to do about another file that stands at the place.
    enum class Existing { keep, replace } existing = Existing::keep;
};

struct GetMonitor {
    std::function<void(const Progress&)> on_progress = {};
    std::function<void(const std::string&)> on_notice = {};
    http::RetryPolicy retry = {};
};

struct Got {
    std::filesystem::path path = {};
    std::string sha256 = {};
    std::uint64_t size = 0;
    std::uint64_t received = 0;
    bool changed = false;  // false: it was there already
    hub::ResolvedFile resolved = {};
};

// Brings files from their sources to their places, verified; nothing is left beside them. One for
// all the files that are fetched together: no two of them get the same place. get() blocks and may
// be called by several threads at once.
class Getter {
public:
    // With a store, which has to outlive it, files are kept there and linked to their places.
    explicit Getter(Downloader& downloader, const Store* store = nullptr)
        : downloader_(downloader), store_(store) {}

    // Throws what resolve() and download() throw; Error{template_} for what is not known to be
    // inert (inert.hpp) and not allowed; Error{conflict} when another file stands at the place.
    Got get(const GetRequest& request, const GetMonitor& monitor, std::stop_token stop);

    struct Job;  // inside

private:
    void look_up(Job& job);
    void choose_place(Job& job, const std::string& server_name);
    Downloaded fetch(Job& job);
    bool goes_by_store(const Job& job) const;
    bool is_in_store(const Job& job) const;
    bool link_by_store(Job& job);
    bool keep_in_store(Job& job, const Downloaded& done);
    bool bring_file(Job& job);
    void bring_metadata(Job& job);

    http::Client& http() { return downloader_.http(); }
    const Mirrors& mirrors() const { return downloader_.mirrors(); }

    Downloader& downloader_;
    const Store* store_;
    std::mutex mutex_;
    std::map<std::filesystem::path, std::string> claimed_;  // under mutex_: by which source
};

}  // namespace podctl::download
