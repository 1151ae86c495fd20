// A stop ends a transfer within a second, whatever it is doing.
#include "podctl/base/fd.hpp"
#include "podctl/base/file.hpp"
#include "podctl/download/download.hpp"
#include "podctl/http/websocket.hpp"

#include "support/error_of.hpp"
#include "support/http_server.hpp"
#include "support/raw_server.hpp"
#include "support/temp_dir.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <future>
#include <thread>

namespace podctl::download {
namespace {

using test::error_of;
using test::RawConnection;
using test::RawServer;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto at_once = 1s;

class Stop : public testing::Test {
protected:
    // Stops once `is_there` says that the state is reached.
    void ends_at_once(const std::string& url, Downloader& downloader) {
        request.url = url;
        Clock::time_point stopped;
        std::jthread stopper([&] {
            is_there.get_future().wait();
            stopped = Clock::now();
            stop.request_stop();
        });
        const auto error =
            error_of([&] { downloader.download(request, monitor, stop.get_token()); });
        const auto ended = Clock::now();
        stopper.join();
        EXPECT_EQ(error.kind(), ErrorKind::interrupted) << error.message();
        EXPECT_LT(ended - stopped, at_once);
    }

    // `answer` goes as far as the state; then nothing comes any more.
    void ends_at_once_after(const std::string& answer, const std::string& scheme = "http") {
        RawServer server([&](RawConnection& connection) {
            if (scheme == "http") connection.read_head();
            connection.send(answer);
            is_there.set_value();
            connection.wait_until_gone();
        });
        http::Client http;
        Downloader downloader{http};
        ends_at_once(scheme + server.url("/m.bin").substr(4), downloader);
    }

    test::TempDir dir;
    DownloadRequest request{.partial = dir / "m.bin.part", .name = "m.bin"};
    DownloadMonitor monitor{.retry = {.attempts = 5, .first_wait = 1h, .longest_wait = 1h}};
    std::stop_source stop;
    std::promise<void> is_there;
};

TEST_F(Stop, EndsAWaitForAnAnswer) {
    ends_at_once_after("");
}

TEST_F(Stop, EndsATlsHandshake) {
    ends_at_once_after("", "https");
}

TEST_F(Stop, EndsHalfAHead) {
    ends_at_once_after("HTTP/1.1 200 OK\r\nContent-Le");
}

TEST_F(Stop, EndsAnInterimAnswer) {
    ends_at_once_after("HTTP/1.1 100 Continue\r\n\r\n");
}

TEST_F(Stop, EndsABodyThatStalls) {
    ends_at_once_after("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 1000\r\n\r\nx");
}

TEST_F(Stop, EndsABodyOfChunksThatStalls) {
    ends_at_once_after("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nx");
}

TEST_F(Stop, EndsTheBodyOfARedirect) {
    ends_at_once_after("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 1000\r\n\r\nx");
}

TEST_F(Stop, EndsTheBodyOfARefusal) {
    ends_at_once_after("HTTP/1.1 403 Forbidden\r\nContent-Length: 1000\r\n\r\nx");
}

TEST_F(Stop, EndsAWaitForTheNextAttempt) {
    test::HttpServer server([](const test::Request&) {
        return test::Response{.status = 503, .headers = {{"Retry-After", "600"}}};
    });
    monitor.retry.on_retry = [&](int, auto, const std::string&) { is_there.set_value(); };
    http::Client http;
    Downloader downloader{http};
    ends_at_once(server.url("/"), downloader);
}

TEST_F(Stop, EndsABodyThatTheLimitHoldsBack) {
    test::HttpServer server(
        [](const test::Request& got) { return test::serve_bytes(got, std::string(4 << 20, 'x')); });
    http::Client http{{.limit_rate = 1000}};
    Downloader downloader{http};
    bool told = false;
    monitor.on_progress = [&](const Progress& progress) {
        if (progress.total && !std::exchange(told, true)) is_there.set_value();
    };
    ends_at_once(server.url("/"), downloader);
}

TEST_F(Stop, EndsAWaitForAConnectionThatOthersHave) {
    std::promise<void> taken;
    RawServer server([&](RawConnection& connection) {
        connection.read_head();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx");
        taken.set_value();
        connection.wait_until_gone();
    });
    http::Client http{{.connections = 1}};
    Downloader downloader{http};
    std::stop_source stop_other;
    std::jthread other([&] {
        const DownloadRequest request{.url = server.url("/a"), .partial = dir / "other.part"};
        error_of([&] { downloader.download(request, {}, stop_other.get_token()); });
    });
    taken.get_future().wait();
    is_there.set_value();
    ends_at_once(server.url("/b"), downloader);
    EXPECT_EQ(server.connections(), 1u);
    stop_other.request_stop();
}

// A socket whose queue is full answers no more: the connection is neither made nor refused.
TEST_F(Stop, EndsAConnectionThatIsNotMade) {
    const Fd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(listener.get(), generic, size), 0);
    ASSERT_EQ(::listen(listener.get(), 0), 0);
    ASSERT_EQ(::getsockname(listener.get(), generic, &size), 0);
    std::vector<Fd> waiting;
    for (int i = 0; i < 4; ++i) {
        waiting.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        ::connect(waiting.back().get(), generic, size);
    }
    http::Client http;
    Downloader downloader{http};
    is_there.set_value();
    ends_at_once("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/x", downloader);
}

TEST_F(Stop, EndsACopyOfALocalFile) {
    write_file_atomically(dir / "local.bin", std::string(1 << 20, 'x'));
    monitor.on_progress = [&](const Progress&) { stop.request_stop(); };
    is_there.set_value();
    http::Client http;
    Downloader downloader{http};
    ends_at_once("file://" + (dir / "local.bin").string(), downloader);
}

TEST_F(Stop, EndsAWebSocketsHandshake) {
    RawServer server([&](RawConnection& connection) {
        connection.read_head();
        stop.request_stop();
        connection.wait_until_gone();
    });
    http::Client http;
    Downloader downloader{http};
    const auto before = Clock::now();
    const auto error =
        error_of([&] { http::WebSocket(http, server.url("/ws"), 1h, stop.get_token()); });
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    EXPECT_LT(Clock::now() - before, 5s);
}

}  // namespace
}  // namespace podctl::download
