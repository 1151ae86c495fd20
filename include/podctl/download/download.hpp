#pragma once

#include "podctl/base/cache_room.hpp"
#include "podctl/base/file_identity.hpp"
#include "podctl/base/url.hpp"
#include "podctl/http/http.hpp"
#include "podctl/hub/resolve.hpp"
#include "podctl/machine/memory.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace podctl::download {

struct DownloadRequest {
    std::string url = {};  // before mirrors; http, https or file
    // Where the bytes gather, on the file system of the final place; <partial>.ctl beside it
    // remembers what came, and of which file, for a resume.
    std::filesystem::path partial = {};
    std::string sha256 = {};    // expected, lower-case hex; empty: none is known
    std::string git_blob = {};  // the same of its git blob, asked where no sha256 is known
    std::optional<std::uint64_t> size = {};  // expected; absent: what the server says
    http::Request::Reach reach =
        http::Request::Reach::anywhere;  // `internet`: an answer gave the URL
    bool check_format = true;            // .safetensors and .gguf headers, HTML in place of a model
    std::string name = {};               // the final name, for the format checks and messages
};

struct TransferShare;  // src/download/transfer_share.hpp

struct Progress {
    std::uint64_t done = 0;
    std::optional<std::uint64_t> total = {};
};

struct DownloadMonitor {
    std::function<void(const Progress&)> on_progress = {};  // by the calling thread, 10 a second
    http::RetryPolicy retry = {};
    // Asked once, by any thread, with the first answer and before any byte is kept; what it throws
    // ends the download. False: the file is not wanted.
    std::function<bool(const hub::Offer&)> is_wanted = {};
};

struct Downloaded {
    bool declined = false;    // DownloadMonitor::is_wanted said no: there are no bytes
    std::string sha256 = {};  // of the whole file
    std::uint64_t size = 0;
    FileIdentity file = {};        // whose bytes were verified
    std::uint64_t received = 0;    // bytes that crossed the network in this call
    std::string server_name = {};  // from Content-Disposition, not yet made safe; may be empty
};

// One for all downloads that go on together, since they share connections (Options) and memory.
class Downloader {
public:
    // The client has to outlive it. `cache`: where files that fit go, one for all who fill the page
    // cache in this process.
    explicit Downloader(http::Client& http, Mirrors mirrors = {},
                        std::shared_ptr<CacheRoom> cache = machine::room_in_page_cache());
    ~Downloader();
    Downloader(const Downloader&) = delete;
    Downloader& operator=(const Downloader&) = delete;

    // Brings the bytes to request.partial, whole and verified, going on from what an earlier call
    // left there (Range with If-Range; a server that answers otherwise starts it anew), over as
    // many connections as pay. The caller renames it to its final name, then calls forget().
    // Blocks, and may be called by several threads at once. Throws Error{network | integrity |
    // unauthorized | not_found | io | locked | interrupted}; what is worth resuming stays, what is
    // wrong is removed.
    Downloaded download(const DownloadRequest& request, const DownloadMonitor& monitor,
                        std::stop_token stop);

    http::Client& http() { return http_; }
    const Mirrors& mirrors() const { return mirrors_; }

private:
    http::Client& http_;
    const Mirrors mirrors_;
    std::unique_ptr<TransferShare> share_;
};

// Removes what is remembered of a partial file that is not there any more.
void forget(const std::filesystem::path& partial);

// Removes a partial file that is whole but not wanted, and what is remembered of it.
void discard(const std::filesystem::path& partial);

// Checks the header of a .safetensors (https://github.com/huggingface/safetensors, format) or .gguf
// file by its name's extension, and that no other model file is an HTML page or a Git LFS pointer.
// Throws Error{integrity}.
void check_model_format(const std::filesystem::path& file, const std::string& name);

// What check_model_format() can tell from the first bytes alone, so that a large download fails at
// its first block: an HTML page, a Git LFS pointer or a server's error object in place of the file,
// a .gguf or .zip without its mark, a .safetensors whose header cannot fit into `size`. `first` is
// the first 512 bytes or more, or the whole file when that is shorter; `size` is the whole file's,
// nullopt when the server has not said. Throws Error{integrity}.
void check_model_start(std::string_view first, std::optional<std::uint64_t> size,
                       const std::string& name);

// How much of a file a DownloadRequest::partial holds for the next call: its size says nothing,
// bytes come in any order. Without a control file its size, when there is none 0.
std::uint64_t bytes_present(const std::filesystem::path& partial);

}  // namespace podctl::download
