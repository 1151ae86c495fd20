// Downloads from servers that are not honest, or not well.
#include "podctl/base/file.hpp"
#include "podctl/download/download.hpp"

#include "support/error_of.hpp"
#include "support/http_server.hpp"
#include "support/raw_server.hpp"
#include "support/temp_dir.hpp"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include <thread>

namespace podctl::download {
namespace {

using test::error_of;
using test::HttpServer;
using test::RawConnection;
using test::RawServer;
using test::Request;
using testing::HasSubstr;
using namespace std::chrono_literals;

class HostileDownload : public testing::Test {
protected:
    Error failure(const std::string& url) {
        request.url = url;
        return error_of([&] { Downloader{http}.download(request, monitor, stop.get_token()); });
    }

    test::TempDir dir;
    DownloadRequest request{.partial = dir / "m.bin.part", .name = "m.bin"};
    DownloadMonitor monitor{.retry = {.attempts = 2, .first_wait = 1ms, .longest_wait = 5ms}};
    std::stop_source stop;
    http::Client http;
};

TEST_F(HostileDownload, OfAnAnswerWithALongHeaderFails) {
    HttpServer server([&](const Request&) {
        return test::Response{.headers = {{"X-Long", std::string(110'000, 'c')}}, .body = "x"};
    });
    EXPECT_THAT(failure(server.url("/")).message(), HasSubstr("headers of the answer"));
}

// It starts over each time, since nothing tells whether the rest would be of the same file.
TEST_F(HostileDownload, ThatIsCutEachTimeSaysSo) {
    RawServer server([](RawConnection& connection) {
        connection.read_head();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nxxxxx");
    });
    monitor.retry.attempts = 100;
    const auto error = failure(server.url("/"));
    EXPECT_THAT(error.message(), testing::Not(HasSubstr("changes while")));
    EXPECT_THAT(error.hint(), HasSubstr("begins anew after each cut"));
}

TEST_F(HostileDownload, OfAnInterimAnswerAloneSaysSo) {
    RawServer server([](RawConnection& connection) {
        connection.read_head();
        connection.send("HTTP/1.1 101 Switching Protocols\r\n\r\nwords");
    });
    EXPECT_THAT(failure(server.url("/")).message(), HasSubstr("no answer came, but HTTP 101"));
}

// These hung for ever: a segment that was never asked for was waited for.
TEST_F(HostileDownload, OfAHostThatCannotBeAskedFailsAtOnce) {
    for (const char* url :
         {"http://a~b/x.safetensors", "https://exam%70le.com/x",
          "http://b\xC3\xBC"
          "cher.de/x",
          "http://a+b/x", "http://[fe80::1%25eth0]/x", "gopher://h/x", "http:///x", "http://h:0/x"})
        EXPECT_EQ(failure(url).kind(), ErrorKind::network) << url;
    EXPECT_FALSE(std::filesystem::exists(request.partial));
}

// A caller's own fault must not leave streams behind that deliver to a transfer which is gone.
TEST_F(HostileDownload, EndsItsStreamsWhateverIsThrown) {
    HttpServer server([&](const Request& got) {
        auto response = test::serve_bytes(got, std::string(4 << 20, 'x'));
        response.bytes_per_second = 1 << 20;
        return response;
    });
    monitor.on_progress = [](const Progress& progress) {
        if (progress.done > 0) throw std::bad_alloc{};
    };
    request.url = server.url("/");
    EXPECT_THROW(Downloader{http}.download(request, monitor, stop.get_token()), std::bad_alloc);
    monitor.is_wanted = [](const hub::Offer&) -> bool { throw std::bad_alloc{}; };
    monitor.on_progress = {};
    EXPECT_THROW(Downloader{http}.download(request, monitor, stop.get_token()), std::bad_alloc);
}

}  // namespace
}  // namespace podctl::download
