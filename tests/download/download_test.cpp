#include "podctl/download/download.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "control_file.hpp"
#include "support/hub.hpp"
#include "support/in_memory.hpp"
#include "support/random_bytes.hpp"
#include "support/raw_server.hpp"
#include "support/sizes.hpp"
#include "support/temp_dir.hpp"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <time.h>

#include <atomic>

namespace podctl::download {
namespace {

using test::HttpServer;
using test::Hub;
using test::random_bytes;
using test::Request;
using test::Response;
using test::serve_bytes;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

using test::MiB;

// Two files of one size that is no multiple of any block.
const std::string bytes = random_bytes(9 * MiB + 17, 1);
const std::string newer = random_bytes(bytes.size(), 2);

class Download : public testing::Test {
protected:
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

    std::string content() const { return read_file(request.partial); }
    bool has_partial() const { return std::filesystem::exists(request.partial); }
    bool has_control() const { return std::filesystem::exists(dir / "m.bin.part.ctl"); }

    test::TempDir dir;
    DownloadRequest request{.partial = dir / "m.bin.part", .name = "m.bin"};
    std::vector<http::Credential> credentials;
    std::vector<std::pair<std::string, std::string>> mirrors;
    std::chrono::milliseconds stall_timeout = 20s;
    std::stop_source stop;
    DownloadMonitor monitor{.retry = {.attempts = 3, .first_wait = 1ms, .longest_wait = 5ms}};
};

// Serves `bytes`, and closes the connection after `cut_after` bytes of the first `cuts` answers.
HttpServer::Handler cutting(int cuts, std::size_t cut_after, const std::string& etag = "\"1\"") {
    return
        [cut_after, etag, left = std::make_shared<std::atomic<int>>(cuts)](const Request& request) {
            auto response = serve_bytes(request, bytes, etag);
            if ((*left)-- > 0) response.cut_after = cut_after;
            return response;
        };
}

TEST_F(Download, BringsAFileWithItsDigestAndName) {
    HttpServer server([&](const Request& got) {
        auto response = serve_bytes(got, bytes);
        response.headers.emplace_back(
            "Content-Disposition", "attachment; filename=\"a.bin\"; filename*=UTF-8''%C3%A4.bin");
        return response;
    });
    Progress last;
    monitor.on_progress = [&](const Progress& progress) { last = progress; };
    const auto done = get(server.url("/m.bin"));
    EXPECT_TRUE(content() == bytes);
    EXPECT_EQ(done.sha256, sha256_hex(bytes));
    EXPECT_EQ(done.size, bytes.size());
    EXPECT_EQ(done.received, bytes.size());
    EXPECT_EQ(done.server_name, "ä.bin");
    EXPECT_EQ(last.done, bytes.size());
    EXPECT_EQ(last.total, bytes.size());
    std::filesystem::remove(request.partial);
    forget(request.partial);
    EXPECT_FALSE(has_control());
}

TEST_F(Download, LeavesAFileInMemoryWhereThatHasRoom) {
    HttpServer server([&](const Request& got) { return serve_bytes(got, bytes); });
    get(server.url("/"));
    EXPECT_EQ(test::bytes_in_memory(request.partial), bytes.size());
    std::filesystem::remove(request.partial);
    forget(request.partial);
    write_file_atomically(dir / "from", bytes);
    get("file://" + (dir / "from").string());
    EXPECT_EQ(test::bytes_in_memory(request.partial), bytes.size());
}

TEST_F(Download, KnowsAWholeFileByItsRecordAndAsksNobodyAgain) {
    // A process that is killed before it has placed the file.
    HttpServer server([&](const Request& got) { return serve_bytes(got, bytes); });
    get(server.url("/"));
    forget(request.partial);  // only of a partial file that is gone
    int asked = 0;
    monitor.is_wanted = [&](const hub::Offer& offer) {
        ++asked;
        return offer.size == bytes.size();
    };
    const auto again = get(server.url("/"));
    EXPECT_EQ(again.received, 0u);
    EXPECT_EQ(again.sha256, sha256_hex(bytes));
    EXPECT_EQ(asked, 1);
    EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(Download, LeavesNothingOfAFileThatIsNotWanted) {
    HttpServer server([&](const Request& got) { return serve_bytes(got, bytes); });
    monitor.is_wanted = [](const hub::Offer&) { return false; };
    EXPECT_TRUE(get(server.url("/")).declined);
    EXPECT_FALSE(has_partial());
    EXPECT_FALSE(has_control());
}

TEST_F(Download, BringsAnEmptyFile) {
    HttpServer server([](const Request& got) { return serve_bytes(got, ""); });
    request.name = "empty.txt";
    EXPECT_EQ(get(server.url("/empty.txt")).sha256, sha256_hex(""));
}

TEST_F(Download, BringsAFileWhoseLengthNobodySays) {
    HttpServer server([&](const Request&) {
        return Response{.headers = {{"Transfer-Encoding", "chunked"}}, .body = bytes};
    });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(bytes));
}

TEST_F(Download, AsksAtOnceAfterACutThatHadBroughtBytes) {
    HttpServer server(cutting(8, 64 << 10));
    request.sha256 = sha256_hex(bytes);
    int waits = 0;
    monitor.retry.on_retry = [&](int, std::chrono::milliseconds, const std::string&) { ++waits; };
    EXPECT_EQ(get(server.url("/")).received, bytes.size());
    EXPECT_EQ(waits, 0);
    EXPECT_EQ(server.requests().size(), 9u);
}

TEST_F(Download, GoesOnAfterCutsWithoutFetchingTwice) {
    // More cuts than attempts: they count only while nothing comes.
    HttpServer server(cutting(6, MiB));
    request.sha256 = sha256_hex(bytes);
    EXPECT_EQ(get(server.url("/")).received, bytes.size());
    EXPECT_TRUE(content() == bytes);
    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 7u);
    EXPECT_EQ(requests[1].header("range"), "bytes=1048576-");
    EXPECT_EQ(requests[1].header("if-range"), "\"1\"");
}

TEST_F(Download, GoesOnAfterAStall) {
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request& got) {
        auto response = serve_bytes(got, bytes);
        if (++answers == 1) response.stall_after = MiB;
        return response;
    });
    stall_timeout = 200ms;
    monitor.retry.attempts = 50;  // a machine under load may be as slow as a stall
    EXPECT_EQ(get(server.url("/")).received, bytes.size());
    EXPECT_TRUE(content() == bytes);
}

TEST_F(Download, GivesUpWhenNothingComesAndKeepsWhatCame) {
    HttpServer server([&](const Request& got) {
        auto response = serve_bytes(got, bytes);
        response.cut_after = got.header("range") ? 0 : MiB;
        return response;
    });
    const auto error = failure(server.url("/"));
    EXPECT_EQ(error.kind(), ErrorKind::network);
    EXPECT_THAT(error.hint(), HasSubstr("go on"));
    EXPECT_TRUE(content() == bytes.substr(0, MiB));
    EXPECT_TRUE(has_control());
}

TEST_F(Download, AsksAsOftenAsItMayWhereNoAnswerComes) {
    std::atomic<int> asked = 0;
    test::RawServer server([&](test::RawConnection& connection) {
        connection.read_head();
        if (++asked > 5) connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbytes");
    });
    monitor.retry.attempts = 6;
    EXPECT_EQ(get(server.url("/")).size, 5u);
    EXPECT_EQ(asked, 6);
}

TEST_F(Download, TellsOfNoFileWhereNoAnswerCame) {
    test::RawServer server([](test::RawConnection& connection) { connection.read_head(); });
    monitor.retry.attempts = 5;
    EXPECT_THAT(failure(server.url("/")).hint(), Not(HasSubstr("ETag")));
    EXPECT_EQ(server.connections(), 5u);
}

TEST_F(Download, GoesOnWhereAnEarlierCallEnded) {
    HttpServer server(cutting(1, 5 * MiB));
    monitor.retry.attempts = 1;
    failure(server.url("/?sig=secret"));
    EXPECT_THAT(read_file(dir / "m.bin.part.ctl"), Not(HasSubstr("secret")));
    const auto done = get(server.url("/?sig=secret"));
    EXPECT_EQ(done.received, bytes.size() - 5 * MiB);
    EXPECT_EQ(done.sha256, sha256_hex(bytes));
}

TEST_F(Download, StartsAnewForAnotherUrlOrAnotherDigest) {
    HttpServer server(cutting(2, 5 * MiB));
    monitor.retry.attempts = 1;
    failure(server.url("/a"));
    failure(server.url("/b"));
    EXPECT_FALSE(server.requests().at(1).header("range"));
    request.sha256 = sha256_hex(bytes);
    EXPECT_EQ(get(server.url("/b")).received, bytes.size());
}

TEST_F(Download, StartsAnewWhenTheFileChangedAtItsSource) {
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request& got) {
        if (++answers > 1) return serve_bytes(got, newer, "\"2\"");
        auto response = serve_bytes(got, bytes, "\"1\"");
        response.cut_after = 2 * MiB;
        return response;
    });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(newer));
    EXPECT_TRUE(content() == newer);
}

TEST_F(Download, DoesNotTrustAServerThatSendsAPartOfAnotherFile) {
    // It ignores If-Range: only the ETag of the answer tells.
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request& got) {
        auto plain = got;
        std::erase_if(plain.headers, [](const auto& header) { return header.first == "if-range"; });
        if (++answers > 1) return serve_bytes(plain, newer, "\"2\"");
        auto response = serve_bytes(plain, bytes, "\"1\"");
        response.cut_after = 2 * MiB;
        return response;
    });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(newer));
}

TEST_F(Download, SendsNoWeakEtagInIfRangeAndComparesIt) {
    HttpServer server(cutting(1, MiB, "W/\"1\""));
    EXPECT_EQ(get(server.url("/")).received, bytes.size());
    EXPECT_TRUE(content() == bytes);
    EXPECT_FALSE(server.requests().at(1).header("if-range"));
}

TEST_F(Download, UsesLastModifiedWhereThereIsNoEtag) {
    HttpServer server(cutting(1, MiB, ""));
    EXPECT_EQ(get(server.url("/")).received, bytes.size());
    EXPECT_THAT(server.requests().at(1).header("if-range").value_or(""), HasSubstr("2023"));
}

TEST_F(Download, DoesNotGoOnWhereNothingIdentifiesTheFile) {
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request&) {
        Response response{.body = bytes};
        if (++answers == 1) response.cut_after = MiB;
        return response;
    });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(bytes));
    EXPECT_FALSE(server.requests().at(1).header("range"));
}

TEST_F(Download, StartsAnewWhenTheServerIgnoresTheRange) {
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request&) {
        Response response{.headers = {{"ETag", "\"1\""}}, .body = bytes};
        if (++answers == 1) response.cut_after = MiB;
        return response;
    });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(bytes));
    EXPECT_TRUE(content() == bytes);
}

TEST_F(Download, DoesNotTakeARangeThatItDidNotAskFor) {
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request& got) {
        auto response = serve_bytes(got, bytes);
        if (++answers == 1) response.cut_after = 2 * MiB;
        if (answers != 2) return response;
        // Of the right length, at the wrong place.
        response.headers = {
            {"ETag", "\"1\""},
            {"Content-Range",
             fmt::format("bytes 0-{}/{}", bytes.size() - 2 * MiB - 1, bytes.size())}};
        return response;
    });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(bytes));
}

TEST_F(Download, TakesA416ForTheEndWhenTheSizeAgrees) {
    // The first answer has no length, so the file's end is not known before the connection's.
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request& got) {
        if (++answers > 1) return serve_bytes(got, bytes);
        return Response{.headers = {{"ETag", "\"1\""}, {"Transfer-Encoding", "chunked"}},
                        .body = bytes,
                        .cut_after = bytes.size() + 8};
    });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(bytes));
    EXPECT_EQ(server.requests().size(), 2u);
}

TEST_F(Download, BelievesTheRangeAnswerOfAServerWhoseLengthsAreTooLong) {
    HttpServer server([&](const Request& got) {
        auto response = serve_bytes(got, bytes);
        if (response.status == 200) response.content_length = bytes.size() + 5;
        return response;
    });
    const auto done = get(server.url("/"));
    EXPECT_EQ(done.sha256, sha256_hex(bytes));
    EXPECT_TRUE(content() == bytes);
    EXPECT_LT(server.body_bytes_sent(), bytes.size() + MiB);
}

TEST_F(Download, StartsAnewAfterA416OfAShorterFile) {
    const std::string shorter = bytes.substr(0, MiB);
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request& got) {
        auto plain = got;
        std::erase_if(plain.headers, [](const auto& header) { return header.first == "if-range"; });
        if (++answers > 1) return serve_bytes(plain, shorter, "\"2\"");
        auto response = serve_bytes(plain, bytes);
        response.cut_after = 2 * MiB;
        return response;
    });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(shorter));
}

TEST_F(Download, WaitsAsLongAsA429Or503Says) {
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request& got) -> Response {
        const int n = ++answers;
        if (n == 1) return {.status = 429, .headers = {{"Retry-After", "1"}}};
        if (n > 2) return serve_bytes(got, bytes);
        char date[64];
        const time_t soon = ::time(nullptr) + 2;
        tm parts{};
        ::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", ::gmtime_r(&soon, &parts));
        return {.status = 503, .headers = {{"Retry-After", date}}};
    });
    std::vector<std::chrono::milliseconds> waits;
    monitor.retry.on_retry = [&](int, auto wait, const std::string&) { waits.push_back(wait); };
    EXPECT_EQ(get(server.url("/")).size, bytes.size());
    ASSERT_EQ(waits.size(), 2u);
    EXPECT_EQ(waits[0], 1s);
    EXPECT_GT(waits[1], 500ms);
}

TEST_F(Download, RefusesAWrongDigestAndRemovesTheBytes) {
    HttpServer server([&](const Request& got) { return serve_bytes(got, bytes); });
    request.sha256 = std::string(64, '0');
    const auto error = failure(server.url("/"));
    EXPECT_EQ(error.kind(), ErrorKind::integrity);
    EXPECT_THAT(error.message(), HasSubstr(sha256_hex(bytes)));
    EXPECT_FALSE(has_partial());
    EXPECT_FALSE(has_control());
}

TEST_F(Download, StartsAnewOnceWhenTheEarlierBytesWereWrong) {
    HttpServer server(cutting(1, 5 * MiB));
    request.sha256 = sha256_hex(bytes);
    monitor.retry.attempts = 1;
    failure(server.url("/"));
    auto damaged = content();
    damaged[100] = static_cast<char>(damaged[100] ^ 1);
    write_file_atomically(request.partial, damaged);
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(bytes));
    EXPECT_TRUE(content() == bytes);
}

TEST_F(Download, AsksNobodyWhenTheWholeFileIsThere) {
    HttpServer server([](const Request&) { return Response{.status = 500}; });
    write_file_atomically(request.partial, bytes);
    request.sha256 = sha256_hex(bytes);
    EXPECT_EQ(get(server.url("/")).received, 0u);
    EXPECT_TRUE(server.requests().empty());
}

TEST_F(Download, RefusesAnotherSizeThanTheExpectedBeforeItFetches) {
    HttpServer server([&](const Request& got) { return serve_bytes(got, bytes); });
    request.size = bytes.size() + 1;
    EXPECT_EQ(failure(server.url("/")).kind(), ErrorKind::integrity);
    EXPECT_FALSE(has_partial());
}

TEST_F(Download, NoticesALengthThatIsALie) {
    HttpServer server([&](const Request&) {
        return Response{.body = bytes, .content_length = bytes.size() + 5};
    });
    const auto error = failure(server.url("/"));
    EXPECT_EQ(error.kind(), ErrorKind::network);
}

TEST_F(Download, RefusesAWebPageInPlaceOfAModel) {
    HttpServer server([](const Request& got) -> Response {
        const bool typed = got.path == "/typed";
        return {.headers = {{"Content-Type", typed ? "text/html; charset=utf-8" : "application/x"}},
                .body = "\n<!DOCTYPE HTML><html>Log in</html>"};
    });
    for (const char* path : {"/typed", "/untyped"}) {
        const auto error = failure(server.url(path));
        EXPECT_EQ(error.kind(), ErrorKind::integrity);
        EXPECT_THAT(error.message(), HasSubstr("web page"));
        EXPECT_FALSE(has_partial());
    }
}

TEST_F(Download, TellsAWrongModelByItsFirstBytes) {
    // It is no page and has the size that it should.
    HttpServer server([](const Request& got) {
        auto response = serve_bytes(got, bytes);
        response.bytes_per_second = MiB;
        return response;
    });
    request.name = "m.gguf";
    EXPECT_THAT(failure(server.url("/m.gguf")).message(), HasSubstr("GGUF"));
    EXPECT_LT(server.body_bytes_sent(), bytes.size() / 2);
    EXPECT_FALSE(has_partial());
}

// As where a session or a captive portal's permission ends.
TEST_F(Download, KeepsWhatCameWhenAWebPageComesInPlaceOfTheRest) {
    std::atomic<bool> logged_in = true;
    HttpServer server([&](const Request& got) -> Response {
        if (!logged_in)
            return {.headers = {{"Content-Type", "text/html"}}, .body = "<html>Log in</html>"};
        auto response = serve_bytes(got, bytes);
        if (!got.header("range")) response.cut_after = 4 * MiB;
        logged_in = got.header("range").has_value();
        return response;
    });
    const auto error = failure(server.url("/"));
    EXPECT_THAT(error.message(), HasSubstr("a web page came"));
    ASSERT_TRUE(has_partial());
    logged_in = true;
    EXPECT_EQ(get(server.url("/")).received, bytes.size() - 4 * MiB);
    EXPECT_TRUE(content() == bytes);
}

TEST_F(Download, RefusesCompressedBytes) {
    HttpServer server([](const Request&) {
        return Response{.headers = {{"Content-Encoding", "gzip"}}, .body = "xxx"};
    });
    EXPECT_THAT(failure(server.url("/")).message(), HasSubstr("gzip"));
}

TEST_F(Download, SaysWhatAMissingFileAndARefusalAre) {
    HttpServer server([](const Request& got) {
        return Response{.status = got.path == "/none" ? 404 : 403, .body = "no"};
    });
    EXPECT_EQ(failure(server.url("/none")).kind(), ErrorKind::not_found);
    EXPECT_EQ(failure(server.url("/closed")).kind(), ErrorKind::unauthorized);
    EXPECT_EQ(server.requests().size(), 2u);
}

TEST_F(Download, HandsAHostileNameOverForTheCallerToMakeSafe) {
    HttpServer server([](const Request& got) {
        auto response = serve_bytes(got, "x");
        response.headers.emplace_back("Content-Disposition",
                                      "attachment; filename=\"../../etc/cron.d/x\"");
        return response;
    });
    EXPECT_EQ(get(server.url("/")).server_name, "../../etc/cron.d/x");
    EXPECT_EQ(content(), "x");
}

TEST_F(Download, StopsAtOnceAndKeepsWhatCame) {
    HttpServer server([&](const Request& got) {
        auto response = serve_bytes(got, bytes);
        response.stall_after = MiB;
        return response;
    });
    monitor.on_progress = [&](const Progress& progress) {
        if (progress.done == MiB) stop.request_stop();
    };
    EXPECT_EQ(failure(server.url("/")).kind(), ErrorKind::interrupted);
    EXPECT_TRUE(content() == bytes.substr(0, MiB));
    EXPECT_TRUE(has_control());
}

TEST_F(Download, StopsWhileItWaitsForTheNextAttempt) {
    HttpServer server([](const Request&) {
        return Response{.status = 503, .headers = {{"Retry-After", "600"}}};
    });
    monitor.retry.on_retry = [&](int, auto, const std::string&) { stop.request_stop(); };
    EXPECT_EQ(failure(server.url("/")).kind(), ErrorKind::interrupted);
}

TEST_F(Download, CopiesALocalFile) {
    write_file_atomically(dir / "a b.bin", bytes);
    request.sha256 = sha256_hex(bytes);
    const auto done = get("file://" + dir.path().string() + "/a%20b.bin");
    EXPECT_EQ(done.sha256, request.sha256);
    EXPECT_TRUE(content() == bytes);
    EXPECT_EQ(done.received, 0u);
}

TEST_F(Download, RefusesALocalFileThatIsMissingWrongOrItself) {
    EXPECT_EQ(failure("file://" + (dir / "none").string()).kind(), ErrorKind::not_found);
    EXPECT_EQ(failure("file://" + dir.path().string()).kind(), ErrorKind::not_found);
    write_file_atomically(request.partial, "mine");
    EXPECT_EQ(failure("file://" + request.partial.string()).kind(), ErrorKind::conflict);
    EXPECT_EQ(content(), "mine");
    write_file_atomically(dir / "x", "x");
    request.sha256 = std::string(64, '0');
    EXPECT_EQ(failure("file://" + (dir / "x").string()).kind(), ErrorKind::integrity);
    EXPECT_FALSE(has_partial());
}

TEST_F(Download, TakesAMirrorThatIsAFolder) {
    write_file_atomically(dir / "repo/m.bin", "weights");
    mirrors = {{"https://huggingface.co/", "file://" + dir.path().string() + "/"}};
    EXPECT_EQ(get("https://huggingface.co/repo/m.bin").sha256, sha256_hex("weights"));
}

TEST_F(Download, RefusesAPartialThatIsNoFileOrIsInUse) {
    std::filesystem::create_symlink(dir / "elsewhere", request.partial);
    EXPECT_EQ(failure("http://127.0.0.1:1/").kind(), ErrorKind::io);
    EXPECT_FALSE(std::filesystem::exists(dir / "elsewhere"));
    std::filesystem::remove(request.partial);
    HttpServer server([&](const Request& got) { return serve_bytes(got, bytes); });
    ErrorKind second = ErrorKind::internal;
    std::atomic<bool> asked = false;
    monitor.on_progress = [&](const Progress&) {
        if (asked.exchange(true)) return;
        DownloadRequest same = request;
        http::Client http;
        try {
            Downloader{http}.download(same, {}, {});
        } catch (const Error& error) {
            second = error.kind();
        }
    };
    get(server.url("/"));
    EXPECT_EQ(second, ErrorKind::locked);
}

// A file system of one megabyte.
class SmallDisk {
public:
    explicit SmallDisk(std::filesystem::path path) : path_(std::move(path)) {
        std::filesystem::create_directories(path_);
        mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=1m") == 0;
    }
    ~SmallDisk() {
        if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
    }
    bool mounted() const { return mounted_; }

private:
    std::filesystem::path path_;
    bool mounted_ = false;
};

TEST_F(Download, SaysBeforehandThatTheDiskIsTooSmall) {
    SmallDisk disk(dir / "disk");
    if (!disk.mounted()) GTEST_SKIP() << "no right to mount a tmpfs";
    request.partial = dir / "disk/m.part";
    HttpServer server([&](const Request& got) { return serve_bytes(got, bytes); });
    const auto error = failure(server.url("/"));
    EXPECT_EQ(error.kind(), ErrorKind::io);
    EXPECT_FALSE(error.hint().empty());
}

TEST_F(Download, KeepsWhatCameWhenTheDiskIsFull) {
    SmallDisk disk(dir / "disk");
    if (!disk.mounted()) GTEST_SKIP() << "no right to mount a tmpfs";
    request.partial = dir / "disk/m.part";
    HttpServer server([&](const Request&) {
        return Response{.headers = {{"Transfer-Encoding", "chunked"}, {"ETag", "\"1\""}},
                        .body = bytes};
    });
    EXPECT_EQ(failure(server.url("/")).kind(), ErrorKind::io);
    EXPECT_GT(std::filesystem::file_size(request.partial), 0u);
}

class HubDownload : public Download {
protected:
    HubDownload() {
        mirrors = hub.mirrors();
        hub.add({.id = 7,
                 .model_id = 5,
                 .files = {{.id = 70, .name = "m.safetensors", .bytes = weights}}});
        hub.add({.id = 8,
                 .model_id = 5,
                 .files = {{.id = 80, .name = "early.safetensors", .bytes = weights}},
                 .early_access_until = "2027-01-01"});
        hub.add(
            test::HuggingFaceFile{.repository = "o/r", .path = "m.safetensors", .bytes = weights});
        credentials = {{hub.civitai().url("/"), Secret{Hub::civitai_key}},
                       {hub.huggingface().url("/"), Secret{Hub::hf_token}}};
        request.name = "m.safetensors";
        request.sha256 = sha256_hex(weights);
    }

    const std::string weights = test::safetensors_bytes(2 * MiB);
    const std::string civitai_url = "https://civitai.com/api/download/models/7?fileId=70";
    Hub hub;
};

TEST_F(HubDownload, FetchesFromBothHubsThroughTheStore) {
    EXPECT_EQ(get(civitai_url).server_name, "m.safetensors");
    std::filesystem::remove(request.partial);
    EXPECT_EQ(get("https://huggingface.co/o/r/resolve/main/m.safetensors").size, weights.size());
    for (const auto& seen : hub.store().requests())
        EXPECT_FALSE(seen.header("authorization"));
}

TEST_F(HubDownload, AsksTheStoreAloneAfterACut) {
    std::atomic<int> answers = 0;
    hub.alter_store([&](const Request&, Response& response) {
        if (++answers == 1) response.cut_after = MiB;
    });
    EXPECT_EQ(get(civitai_url).received, weights.size());
    EXPECT_EQ(hub.civitai().requests().size(), 1u);
    EXPECT_EQ(hub.store().requests().size(), 2u);
}

TEST_F(HubDownload, AsksTheHubAgainWhenTheSignatureExpiresInTheMiddle) {
    std::atomic<int> answers = 0;
    hub.alter_store([&](const Request&, Response& response) {
        if (++answers != 1) return;
        response.cut_after = MiB;
        hub.expire_signatures();
    });
    EXPECT_EQ(get(civitai_url).received, weights.size());
    EXPECT_TRUE(content() == weights);
    EXPECT_EQ(hub.civitai().requests().size(), 2u);
}

TEST_F(HubDownload, NamesTheKeyAndTheDeadline) {
    EXPECT_THAT(failure("https://civitai.com/api/download/models/8?fileId=80").message(),
                HasSubstr("Early Access until 2027-01-01"));
    credentials.clear();
    const auto error = failure(civitai_url);
    EXPECT_EQ(error.kind(), ErrorKind::unauthorized);
    EXPECT_THAT(error.hint(), HasSubstr("CIVITAI_API_KEY"));
}

TEST_F(HubDownload, TriesAMissingFileOfCivitaiTwiceMore) {
    std::atomic<int> answers = 0;
    hub.alter_civitai([&](const Request&, Response& response) {
        if (++answers <= 2) response = {.status = 404};
    });
    EXPECT_EQ(get(civitai_url).size, weights.size());
    std::filesystem::remove(request.partial);
    EXPECT_EQ(failure("https://civitai.com/api/download/models/99").kind(), ErrorKind::not_found);
    EXPECT_EQ(hub.civitai().requests().size(), 6u);
}

TEST_F(HubDownload, RefusesAnLfsPointer) {
    request.sha256.clear();
    request.name = "m.bin";
    const auto error = failure("https://huggingface.co/o/r/raw/main/m.safetensors");
    EXPECT_THAT(error.message(), HasSubstr("LFS pointer"));
}

TEST_F(Download, BytesPresentAreThoseThatTheControlFileKnows) {
    EXPECT_EQ(bytes_present(request.partial), 0u);
    write_file_atomically(request.partial, std::string(1'000, 'x'));
    EXPECT_EQ(bytes_present(request.partial), 1'000u);
    ControlFile control{request.partial};
    control.start({.validators = {.size = 1'000}, .have = RangeSet{{0, 100}}});
    RangeSet more;
    more.add({800, 1'000});
    control.add(more);
    EXPECT_EQ(bytes_present(request.partial), 300u);
    std::filesystem::remove(request.partial);
    EXPECT_EQ(bytes_present(request.partial), 0u);
}

}  // namespace
}  // namespace podctl::download
