#include "podctl/base/error.hpp"

#include "store_fixture.hpp"
#include "support/error_of.hpp"
#include "support/http_server.hpp"
#include "support/hub.hpp"
#include "support/other_disk.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace podctl::download {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class StoreOfModels : public StoreTest {};

TEST_F(StoreOfModels, KeepsAFileUnderItsDigestForReadingOnly) {
    const auto came = verified("weights");
    const auto file = store.take(came, {});
    const auto sha256 = sha256_hex("weights");
    EXPECT_EQ(file.sha256, sha256);
    EXPECT_EQ(file.size, 7u);
    EXPECT_EQ(store.path_of(sha256), dir / "store/sha256" / sha256.substr(0, 2) / sha256);
    EXPECT_EQ(read_file(store.path_of(sha256)), "weights");
    EXPECT_EQ(mode_of(store.path_of(sha256)), 0444u);
    EXPECT_EQ(identity(store.path_of(sha256)), came.identity);  // nothing was copied
    EXPECT_FALSE(fs::exists(came.path));
    EXPECT_TRUE(store.look_at(sha256)->is_as_stamped);
    EXPECT_FALSE(store.look_at(sha256_hex("other")));
}

TEST_F(StoreOfModels, LinksOneFileIntoSeveralPlaces) {
    const auto file = put();
    EXPECT_EQ(link(file, place), LinkKind::hard_link);
    EXPECT_EQ(link(file, dir / "other/m.bin"), LinkKind::hard_link);
    EXPECT_EQ(identity(place), identity(dir / "other/m.bin"));
    // In place of an older one, and of itself, which rename(2) does nothing about.
    write_file_atomically(dir / "third.bin", "older");
    EXPECT_EQ(link(file, dir / "third.bin"), LinkKind::hard_link);
    EXPECT_EQ(link(file, place), LinkKind::hard_link);
    EXPECT_EQ(read_file(dir / "third.bin"), "weights");
    EXPECT_EQ(std::distance(fs::directory_iterator{place.parent_path()}, {}), 1);
}

TEST_F(StoreOfModels, LinksByPathFromAnotherFileSystem) {
    const test::OtherDisk disk;
    if (!disk) GTEST_SKIP() << "there is one file system alone";
    const auto file = put();
    EXPECT_EQ(link(file, disk / "models/m.bin"), LinkKind::symbolic_link);
    EXPECT_EQ(read_file(disk / "models/m.bin"), "weights");
    EXPECT_TRUE(store.has_link_at(disk / "models/m.bin"));
    EXPECT_FALSE(store.has_link_at(place));
    // Where others could exchange the link it would not be followed: there the bytes are copied.
    fs::create_directories(disk / "open");
    fs::permissions(disk / "open", fs::perms::all);
    EXPECT_EQ(link(file, disk / "open/m.bin"), LinkKind::copy);
    EXPECT_EQ(read_file(disk / "open/m.bin"), "weights");
    EXPECT_EQ(mode_of(disk / "open/m.bin"), 0644u);
}

TEST_F(StoreOfModels, TakesAFileFromAnotherFileSystemWithItsBytesSeen) {
    const test::OtherDisk disk;
    if (!disk) GTEST_SKIP() << "there is one file system alone";
    write_file_atomically(disk / "a", "weights");
    const Store::Verified right{
        .path = disk / "a", .sha256 = sha256_hex("weights"), .identity = identity(disk / "a")};
    EXPECT_EQ(store.take(right, {}).size, 7u);
    EXPECT_FALSE(fs::exists(disk / "a"));
    write_file_atomically(disk / "a", "others!");
    const Store::Verified wrong{
        .path = disk / "a", .sha256 = sha256_hex("another"), .identity = identity(disk / "a")};
    EXPECT_EQ(error_of([&] { store.take(wrong, {}); }).kind(), ErrorKind::integrity);
    EXPECT_FALSE(find(sha256_hex("another")).file);
    // And leaves nothing half-done.
    const auto shelf = store.path_of(sha256_hex("another")).parent_path();
    EXPECT_TRUE(fs::is_empty(shelf));
}

TEST_F(StoreOfModels, TakesOnlyTheVeryFileThatWasVerified) {
    auto came = verified("weights");
    write_file_atomically(came.path, "others!");
    EXPECT_EQ(error_of([&] { store.take(came, {}); }).kind(), ErrorKind::integrity);
    fs::remove(came.path);
    fs::create_symlink(dir / "elsewhere", came.path);
    EXPECT_EQ(error_of([&] { store.take(came, {}); }).kind(), ErrorKind::io);
}

TEST_F(StoreOfModels, KeepsTheFileThatItHas) {
    const auto first = put();
    link(first, place);
    put();
    EXPECT_EQ(identity(place), identity(store.path_of(first.sha256)));
}

TEST_F(StoreOfModels, HashesAFileOnceMoreWhoseStampIsLostOrTorn) {
    const auto file = put();
    const auto stamp = dir / "store/index" / file.sha256 / "stamp";
    for (const std::string text :
         {"", "{\"size\":7,\"mti", "[7]", "{\"size\":-7,\"mtime_ns\":1}"}) {
        write_file_atomically(stamp, text);
        EXPECT_FALSE(store.look_at(file.sha256)->is_as_stamped) << text;
        EXPECT_TRUE(find(file.sha256).file) << text;
        EXPECT_TRUE(store.look_at(file.sha256)->is_as_stamped) << text;
    }
}

TEST_F(StoreOfModels, MovesWhatWasWrittenOverAside) {
    const auto file = put();
    fs::permissions(store.path_of(file.sha256), fs::perms{0644});
    write_file_atomically(store.path_of(file.sha256), "shorter");
    const auto found = find(file.sha256);
    EXPECT_FALSE(found.file);
    EXPECT_THAT(found.fault, HasSubstr("is damaged"));
    EXPECT_THAT(found.fault, HasSubstr("it is now in"));
    EXPECT_FALSE(fs::exists(store.path_of(file.sha256)));
    EXPECT_THAT(find(file.sha256).fault, IsEmpty());
    EXPECT_EQ(put().size, 7u);
}

TEST_F(StoreOfModels, SeesWhatItsStampDoesNotTellWhereItIsToVerify) {
    const auto file = put();
    damage(store.path_of(file.sha256), "WEIGHTS");
    fs::permissions(store.path_of(file.sha256), fs::perms{0444});
    EXPECT_TRUE(find(file.sha256).file);
    EXPECT_FALSE(store.find(file.sha256, Store::Trust::nothing, {}).file);
    EXPECT_FALSE(find(file.sha256).file);
}

TEST_F(StoreOfModels, FollowsNoLinkAndOpensNoPipe) {
    const auto file = put();
    const auto path = store.path_of(file.sha256);
    fs::rename(path, dir / "outside");
    fs::create_symlink(dir / "outside", path);
    EXPECT_FALSE(store.look_at(file.sha256));
    EXPECT_FALSE(link(file, place));
    EXPECT_THAT(find(file.sha256).fault, HasSubstr("is a link"));
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    EXPECT_THAT(find(file.sha256).fault, HasSubstr("is no regular file"));
    EXPECT_FALSE(fs::exists(place));
}

TEST_F(StoreOfModels, BelievesNothingThatOthersCanWrite) {
    const auto file = put();
    fs::permissions(store.path_of(file.sha256), fs::perms{0666});
    EXPECT_FALSE(store.look_at(file.sha256));
    EXPECT_THAT(find(file.sha256).fault, HasSubstr("can be written by other users"));
    put();
    const auto shelf = store.path_of(file.sha256).parent_path();
    fs::permissions(shelf, fs::perms::all);
    EXPECT_FALSE(store.look_at(file.sha256));
    fs::permissions(dir / "store", fs::perms::all);
    const auto error = error_of([&] { Store{dir / "store", Missing::make}; });
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_THAT(error.message(), HasSubstr("other users can write to this store"));
}

TEST_F(StoreOfModels, BelievesNothingOfAnotherUser) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    const auto file = put();
    ASSERT_EQ(::chown(store.path_of(file.sha256).c_str(), 65534, 65534), 0);
    EXPECT_FALSE(link(file, place));
    EXPECT_THAT(find(file.sha256).fault, HasSubstr("belongs to nobody"));
    ASSERT_EQ(::chown((dir / "store").c_str(), 65534, 65534), 0);
    EXPECT_EQ(error_of([&] { Store{dir / "store", Missing::fail}; }).kind(), ErrorKind::conflict);
}

TEST_F(StoreOfModels, IsNotMadeByALook) {
    EXPECT_EQ(error_of([&] { Store{dir / "none", Missing::fail}; }).kind(), ErrorKind::not_found);
    EXPECT_FALSE(fs::exists(dir / "none"));
}

TEST_F(StoreOfModels, AdoptsAFileThatStandsInItsPlace) {
    write_file_atomically(place, "weights");
    const auto sha256 = sha256_hex("weights");
    const auto stamp = file_stamp(place).value();
    EXPECT_FALSE(store.adopt(place, sha256, {.size = 7, .mtime_ns = 1}, this_machine()));
    EXPECT_TRUE(store.adopt(place, sha256, stamp, this_machine()));
    EXPECT_EQ(identity(store.path_of(sha256)), identity(place));
    EXPECT_EQ(mode_of(place), 0444u);
    EXPECT_EQ(file_stamp(place), stamp);
    EXPECT_TRUE(store.look_at(sha256)->is_as_stamped);
    // It has it already.
    EXPECT_FALSE(store.adopt(place, sha256, stamp, this_machine()));
}

TEST_F(StoreOfModels, AdoptsNothingThatSomebodyElseCanWrite) {
    write_file_atomically(place, "weights");
    const auto stamp = file_stamp(place).value();
    const auto is_adopted = [&] {
        return store.adopt(place, sha256_hex("weights"), stamp, this_machine());
    };
    fs::permissions(place, fs::perms{0666});
    EXPECT_FALSE(is_adopted());
    fs::permissions(place, fs::perms{0644});
    fs::create_hard_link(place, dir / "second name");
    EXPECT_FALSE(is_adopted());
    fs::remove(dir / "second name");
    fs::rename(place, dir / "elsewhere");
    fs::create_symlink(dir / "elsewhere", place);
    EXPECT_FALSE(is_adopted());
    EXPECT_EQ(mode_of(dir / "elsewhere"), 0644u);
}

// What comes from a server.
class StoreAndServer : public StoreTest {
protected:
    StoreRequest request(const fs::path& target) const {
        return {.download = {.url = server.url("/m.safetensors"), .sha256 = sha256},
                .place = target,
                .admission = {.source = "source", .word = "word"}};
    }
    StoreResult bring(const StoreRequest& wanted) {
        return bring_into_store(store, wanted, downloader, {}, {}).value();
    }

    const std::string bytes = test::safetensors_bytes(200'000);
    const std::string sha256 = sha256_hex(bytes);
    std::atomic<std::size_t> slow_rate = 0;
    test::HttpServer server{[this](const test::Request& got) {
        auto response = test::serve_bytes(got, bytes);
        if (slow_rate > 0) response.bytes_per_second = slow_rate;
        return response;
    }};
    http::Client http{{}};
    Downloader downloader{http};
};

TEST_F(StoreAndServer, AskForAFileOnce) {
    EXPECT_EQ(bring(request(dir / "a.safetensors")).received, bytes.size());
    EXPECT_EQ(read_file(store.path_of(sha256)), bytes);
    const auto asked = server.requests().size();
    EXPECT_EQ(bring(request(dir / "b.safetensors")).received, 0u);
    EXPECT_EQ(server.requests().size(), asked);
    // Nothing of the download, and no turn, is left.
    EXPECT_TRUE(fs::is_empty(dir / "store/partial"));
}

TEST_F(StoreAndServer, BringAFileOnceForTwoWhoWantItAtOnce) {
    slow_rate = 200'000;
    std::atomic<int> waited = 0;
    std::vector<StoreResult> results(2);
    {
        std::vector<std::jthread> both;
        for (auto& result : results)
            both.emplace_back([&] {
                auto wanted = request(dir / "m.safetensors");
                wanted.on_wait = [&](const LeaseHolder&, std::chrono::milliseconds) { ++waited; };
                result = bring(wanted);
            });
    }
    EXPECT_EQ(results[0].received + results[1].received, bytes.size());
    EXPECT_GT(waited, 0);
    EXPECT_EQ(server.body_bytes_sent(), bytes.size());
}

TEST_F(StoreAndServer, HoldAStoredFileToTheSameRulesAsAFetchedOne) {
    const std::string pickle{"\x80\x02.", 3};
    const auto file = put(pickle);
    auto wanted = request(dir / "m.pt");
    wanted.download.sha256 = file.sha256;
    EXPECT_EQ(error_of([&] { bring(wanted); }).kind(), ErrorKind::template_);
    EXPECT_EQ(server.requests().size(), 0u);
    EXPECT_TRUE(find(file.sha256).file);  // for those who have the word
    wanted.admission.pickle = Admission::Pickle::allow;
    EXPECT_EQ(bring(wanted).file.sha256, file.sha256);
    // A .safetensors of any bytes is none.
    wanted.place = dir / "m.safetensors";
    EXPECT_EQ(error_of([&] { bring(wanted); }).kind(), ErrorKind::integrity);
}

TEST_F(StoreAndServer, TakeNothingOfTheWrongDigest) {
    auto wanted = request(dir / "m.safetensors");
    wanted.download.sha256 = sha256_hex("other");
    EXPECT_EQ(error_of([&] { bring(wanted); }).kind(), ErrorKind::integrity);
    EXPECT_FALSE(find(wanted.download.sha256).file);
    EXPECT_TRUE(fs::is_empty(dir / "store/partial"));
}

TEST_F(StoreAndServer, AreToldNothingWhereTheCallerHasNoNetwork) {
    auto wanted = request(dir / "m.safetensors");
    wanted.before_download = [] { throw Error{ErrorKind::network, "--offline"}; };
    EXPECT_EQ(error_of([&] { bring(wanted); }).kind(), ErrorKind::network);
    EXPECT_EQ(server.requests().size(), 0u);
    put(bytes);
    EXPECT_EQ(bring(wanted).received, 0u);
}

}  // namespace
}  // namespace podctl::download
