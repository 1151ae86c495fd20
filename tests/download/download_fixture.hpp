#pragma once

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/download/download.hpp"

#include "support/http_server.hpp"
#include "support/random_bytes.hpp"
#include "support/sizes.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace podctl::download {

// One download from a server of the test's own.
class Download : public testing::Test {
protected:
    // Two files of one size that is no multiple of any block.
    static inline const std::string bytes = test::random_bytes(9 * test::MiB + 17, 1);
    static inline const std::string newer = test::random_bytes(bytes.size(), 2);

    Downloaded get(const std::string& url) {
        request.url = url;
        http::Client http{{.credentials = credentials, .stall_timeout = stall_timeout}};
        return Downloader{http, Mirrors{mirrors}}.download(request, monitor, stop.get_token());
    }

    Error failure(const std::string& url) {
        try {
            get(url);
        } catch (const Error& error) {
            return error;
        }
        ADD_FAILURE() << url << " was downloaded";
        return {ErrorKind::internal, ""};
    }

    // Serves `bytes`, and closes the connection after `cut_after` bytes of the first `cuts`
    // answers.
    static test::HttpServer::Handler cutting(int cuts, std::size_t cut_after,
                                             const std::string& etag = "\"1\"") {
        return [cut_after, etag,
                left = std::make_shared<std::atomic<int>>(cuts)](const test::Request& request) {
            auto response = test::serve_bytes(request, bytes, etag);
            if ((*left)-- > 0) response.cut_after = cut_after;
            return response;
        };
    }

    std::string content() const { return read_file(request.partial); }
    bool has_partial() const { return std::filesystem::exists(request.partial); }
    bool has_control() const { return std::filesystem::exists(dir / "m.bin.part.ctl"); }

    test::TempDir dir;
    DownloadRequest request{.partial = dir / "m.bin.part", .name = "m.bin"};
    std::vector<http::Credential> credentials;
    std::vector<std::pair<std::string, std::string>> mirrors;
    std::chrono::milliseconds stall_timeout = std::chrono::seconds{20};
    std::stop_source stop;
    DownloadMonitor monitor{.retry = {.attempts = 3,
                                      .first_wait = std::chrono::milliseconds{1},
                                      .longest_wait = std::chrono::milliseconds{5}}};
};

}  // namespace podctl::download
