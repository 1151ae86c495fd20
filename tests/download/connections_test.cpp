// Downloads over several connections: when there are more, what they may not break, and what all
// downloads share.
#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/download/download.hpp"

#include "support/hub.hpp"
#include "support/random_bytes.hpp"
#include "support/sizes.hpp"
#include "support/temp_dir.hpp"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <random>

namespace podctl::download {
namespace {

using test::HttpServer;
using test::Hub;
using test::Request;
using test::Response;
using test::serve_bytes;
using namespace std::chrono_literals;

using test::MiB;
const std::string served = test::random_bytes(24 * MiB + 4321, 11);
const std::string served_later = test::random_bytes(served.size(), 12);

bool starts_at_the_beginning(const Request& request) {
    return !request.header("range") || request.header("range")->starts_with("bytes=0-");
}

// Every connection gets 4 MiB a second.
Response throttled(const Request& request, const std::string& content = served,
                   const std::string& etag = "\"1\"") {
    auto response = serve_bytes(request, content, etag);
    response.bytes_per_second = 4 * MiB;
    return response;
}

class Connections : public testing::Test {
protected:
    Downloaded get(const std::string& url, const std::string& name = "m.bin") {
        DownloadRequest request{
            .url = url, .partial = dir / (name + ".part"), .sha256 = sha256, .name = name};
        return downloader().download(request, monitor, {});
    }
    Downloader& downloader() {
        std::call_once(once_, [&] {
            http_ = std::make_unique<http::Client>(options);
            downloader_ = std::make_unique<Downloader>(*http_, Mirrors{mirrors});
        });
        return *downloader_;
    }
    std::string content(const std::string& name = "m.bin") const {
        return read_file(dir / (name + ".part"));
    }

    test::TempDir dir;
    http::Options options;
    std::string sha256;
    std::vector<std::pair<std::string, std::string>> mirrors;
    DownloadMonitor monitor{.retry = {.attempts = 5, .first_wait = 1ms, .longest_wait = 5ms}};

private:
    std::once_flag once_;
    std::unique_ptr<http::Client> http_;
    std::unique_ptr<Downloader> downloader_;
};

TEST_F(Connections, AreOneWhereOneIsEnough) {
    HttpServer server([](const Request& got) { return serve_bytes(got, served); });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(served));
    EXPECT_EQ(server.requests().size(), 1u);
    EXPECT_FALSE(server.requests()[0].header("range"));
}

TEST_F(Connections, AreMoreWhereEachIsThrottled) {
    HttpServer server([](const Request& got) { return throttled(got); });
    const auto done = get(server.url("/"));
    EXPECT_EQ(done.sha256, sha256_hex(served));
    EXPECT_TRUE(content() == served);
    EXPECT_GE(server.most_bodies_at_once(), 4u);
    EXPECT_LT(done.received, served.size() + served.size() / 5);
    for (const auto& request : server.requests()) {
        if (starts_at_the_beginning(request)) continue;
        EXPECT_EQ(request.header("if-range"), "\"1\"");
    }
}

TEST_F(Connections, AreOneWhereNothingIdentifiesTheFile) {
    HttpServer server([](const Request& got) {
        auto response = throttled(got);
        response.headers = {{"Accept-Ranges", "bytes"}};
        return response;
    });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(served));
    EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(Connections, AreOneWhereTheServerSendsNoRanges) {
    HttpServer server([](const Request& got) {
        auto plain = got;
        std::erase_if(plain.headers, [](const auto& header) { return header.first == "range"; });
        auto response = throttled(plain);
        response.bytes_per_second = 16 * MiB;
        return response;
    });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(served));
    EXPECT_EQ(server.requests().size(), 2u);  // it was tried, once
}

TEST_F(Connections, TakeNoPartThatWasNotAskedFor) {
    // The right length at the wrong place, for all but the first request.
    HttpServer server([](const Request& got) {
        auto response = throttled(got);
        response.bytes_per_second = 16 * MiB;
        if (starts_at_the_beginning(got)) return response;
        response.headers = {
            {"ETag", "\"1\""},
            {"Content-Range",
             fmt::format("bytes 4096-{}/{}", 4096 + response.body.size() - 1, served.size())}};
        return response;
    });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(served));
    EXPECT_TRUE(content() == served);
}

TEST_F(Connections, StartAnewWhenTheFileChangesInTheMiddle) {
    for (const bool tells : {true, false}) {  // by If-Range, or only by the answer's ETag
        std::atomic<bool> changed = false;
        HttpServer server([&](const Request& got) {
            auto asked = got;
            if (!tells)
                std::erase_if(asked.headers,
                              [](const auto& header) { return header.first == "if-range"; });
            if (!starts_at_the_beginning(got)) changed = true;
            return changed ? throttled(asked, served_later, "\"2\"") : throttled(asked);
        });
        EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(served_later));
        EXPECT_TRUE(content() == served_later);
        std::filesystem::remove(dir / "m.bin.part");
    }
}

TEST_F(Connections, GiveUpOnAFileThatIsAnotherOneEachTime) {
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request& got) {
        auto response = throttled(got, served, fmt::format("\"{}\"", ++answers));
        response.cut_after = 2 * MiB;
        return response;
    });
    EXPECT_THROW(get(server.url("/")), Error);
    EXPECT_LT(server.requests().size(), 40u);
}

TEST_F(Connections, GoOnWithFewerWhereTheServerTakesNoMore) {
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request& got) -> Response {
        const int n = ++answers;
        if (n > 2 && n < 6) return {.status = 503};
        return throttled(got);
    });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(served));
    EXPECT_TRUE(content() == served);
}

TEST_F(Connections, ReplaceOneThatStallsAndOneThatIsFarSlower) {
    for (const bool stalls : {true, false}) {
        std::atomic<int> answers = 0;
        HttpServer server([&](const Request& got) {
            auto response = throttled(got);
            if (++answers != 3) return response;
            if (stalls)
                response.stall_after = 64 << 10;
            else
                response.bytes_per_second = 20 << 10;
            return response;
        });
        const auto done = get(server.url("/"));
        EXPECT_EQ(done.sha256, sha256_hex(served));
        EXPECT_TRUE(content() == served);
        EXPECT_LT(done.received, served.size() + served.size() / 5);
        std::filesystem::remove(dir / "m.bin.part");
    }
}

TEST_F(Connections, AreWholeWhateverIsCut) {
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request& got) {
        auto response = throttled(got);
        response.bytes_per_second = 16 * MiB;
        const int n = ++answers;
        if (n % 3 != 0) response.cut_after = static_cast<std::size_t>(n) * 77'777 % (3 * MiB);
        return response;
    });
    monitor.retry.attempts = 100;
    const auto done = get(server.url("/"));
    EXPECT_EQ(done.sha256, sha256_hex(served));
    EXPECT_TRUE(content() == served);
    EXPECT_LT(done.received, served.size() + served.size() / 5);
}

TEST_F(Connections, ComeOutRightOrInAClearErrorUnderRandomFaults) {
    for (unsigned seed = 0; seed < 8; ++seed) {
        std::mutex mutex;
        std::mt19937 random(seed);
        const auto chance = [&](unsigned n) {
            const std::scoped_lock lock(mutex);
            return random() % n == 0;
        };
        const auto below = [&](std::size_t n) {
            const std::scoped_lock lock(mutex);
            return random() % n;
        };
        HttpServer server([&](const Request& got) -> Response {
            if (chance(12)) return {.status = 503, .body = "busy"};
            if (chance(30)) return {.status = 403, .body = "no"};
            auto asked = got;
            if (chance(15))
                std::erase_if(asked.headers,
                              [](const auto& header) { return header.first == "range"; });
            auto response = throttled(asked);
            response.bytes_per_second = (4 + below(40)) * MiB;
            if (chance(3)) response.cut_after = below(4 * MiB);
            if (chance(20)) response.content_length = response.body.size() + 1 + below(MiB);
            return response;
        });
        monitor.retry.attempts = 30;
        const std::string name = fmt::format("{}.bin", seed);
        try {
            EXPECT_EQ(get(server.url("/"), name).sha256, sha256_hex(served)) << seed;
            EXPECT_TRUE(content(name) == served) << seed;
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::unauthorized) << seed << error.message();
        }
    }
}

TEST_F(Connections, AskTheHubOnceForAllAndOnceMoreWhenTheSignatureExpires) {
    Hub hub;
    mirrors = hub.mirrors();
    hub.add({.id = 7,
             .model_id = 5,
             .files = {{.id = 70, .name = "m.bin", .bytes = served, .format = "PickleTensor"}},
             .needs_key = false});
    // The first answer is the last one with the first signature, so that every machine comes to
    // ask again.
    std::atomic<bool> expired = false;
    hub.alter_store([&](const Request&, Response& response) {
        response.bytes_per_second = 4 * MiB;
        if (!expired.exchange(true)) hub.expire_signatures();
    });
    sha256 = sha256_hex(served);
    const auto done = get("https://civitai.com/api/download/models/7?fileId=70");
    EXPECT_EQ(done.size, served.size());
    EXPECT_TRUE(content() == served);
    EXPECT_GE(hub.store().most_bodies_at_once(), 4u);
    EXPECT_EQ(hub.civitai().requests().size(), 2u);
}

TEST_F(Connections, OfAllFilesTogetherAreNoMoreThanTheLimit) {
    HttpServer server([](const Request& got) { return throttled(got); });
    options.connections = 5;
    std::vector<std::future<Downloaded>> files;
    for (int i = 0; i < 4; ++i)
        files.push_back(std::async(
            std::launch::async, [&, i] { return get(server.url("/"), fmt::format("{}.bin", i)); }));
    for (auto& file : files)
        EXPECT_EQ(file.get().sha256, sha256_hex(served));
    EXPECT_LE(server.most_bodies_at_once(), 5u + 2u);  // a cut one may still be on its way out
}

TEST_F(Connections, OfASmallFileDoNotWaitForALargeOne) {
    std::promise<void> small_is_there;
    const auto gate = small_is_there.get_future().share();
    std::promise<void> large_runs;
    std::once_flag once;
    HttpServer server([&](const Request& got) -> Response {
        if (got.path == "/small") return serve_bytes(got, "small");
        std::call_once(once, [&] { large_runs.set_value(); });
        // The large one ends only after the small one.
        auto response = serve_bytes(got, served);
        if (gate.wait_for(0s) != std::future_status::ready) response.bytes_per_second = MiB;
        return response;
    });
    options.connections = 1;
    auto large = std::async(std::launch::async, [&] { return get(server.url("/large"), "large"); });
    large_runs.get_future().wait();
    EXPECT_EQ(get(server.url("/small"), "small").size, 5u);
    EXPECT_EQ(large.wait_for(0s), std::future_status::timeout);
    small_is_there.set_value();
    EXPECT_EQ(large.get().sha256, sha256_hex(served));
}

TEST_F(Connections, ObeyTheLimitOfAllTogether) {
    HttpServer server([](const Request& got) { return serve_bytes(got, served); });
    options.limit_rate = 20 * MiB;
    const auto before = std::chrono::steady_clock::now();
    auto other =
        std::async(std::launch::async, [&] { return get(server.url("/other"), "other.bin"); });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(served));
    EXPECT_EQ(other.get().sha256, sha256_hex(served));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - before;
    // Never quicker, however fast the machine is.
    EXPECT_GT(took.count(), 2.0 * static_cast<double>(served.size()) / (20.0 * MiB) * 0.9);
}

}  // namespace
}  // namespace podctl::download
