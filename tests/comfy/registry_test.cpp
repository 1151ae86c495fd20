#include "podctl/base/error.hpp"
#include "podctl/comfy/comfy.hpp"

#include "support/error_of.hpp"
#include "support/http_server.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <atomic>

namespace podctl::comfy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

// A version as https://api.comfy.org gives it.
nlohmann::json version_json(const std::string& version,
                            const std::string& status = "NodeVersionStatusActive") {
    return {{"version", version},
            {"downloadUrl", "https://cdn.comfy.org/drltdata/pack/" + version + "/node.zip"},
            {"dependencies", {"numpy", "opencv-python"}},
            {"deprecated", false},
            {"status", status}};
}

class FindInRegistry : public ::testing::Test {
protected:
    test::Response answer(const test::Request& request) {
        if (failures_ > 0 && failures_-- > 0) return {.status = 503};
        const auto found = pages_.find(request.path);
        if (found == pages_.end()) return {.status = 404, .body = R"({"message":"not found"})"};
        return {.body = found->second};
    }
    void page(const std::string& path, const nlohmann::json& body) { pages_[path] = body.dump(); }
    RegistryVersion find(const std::string& version) {
        return find_in_registry("pack", version, http_, mirrors_, retry_, {});
    }
    Error error_of(const std::string& version) {
        return test::error_of([&] { find(version); });
    }

    std::map<std::string, std::string> pages_;
    std::atomic<int> failures_ = 0;
    test::HttpServer server_{[this](const test::Request& request) { return answer(request); }};
    Mirrors mirrors_{{{"https://api.comfy.org/", server_.url("/")}}};
    http::Client http_;
    http::RetryPolicy retry_{.attempts = 3, .first_wait = 1ms, .longest_wait = 2ms};
};

TEST_F(FindInRegistry, GivesTheDownloadOfAVersion) {
    page("/nodes/pack/versions/1.21", version_json("1.21"));
    const auto found = find("1.21");
    EXPECT_EQ(found.version, "1.21");
    EXPECT_EQ(found.download_url, "https://cdn.comfy.org/drltdata/pack/1.21/node.zip");
    EXPECT_THAT(found.dependencies, ElementsAre("numpy", "opencv-python"));
    EXPECT_EQ(found.note, "");
}

TEST_F(FindInRegistry, TakesTheLatestWhenNoneIsNamed) {
    page("/nodes/pack", {{"id", "pack"}, {"latest_version", version_json("2.0")}});
    EXPECT_EQ(find("").version, "2.0");
}

TEST_F(FindInRegistry, AsksForTheLatestVersionsDownloadWhenThePackDoesNotGiveIt) {
    page("/nodes/pack", {{"id", "pack"}, {"latest_version", {{"version", "2.0"}}}});
    page("/nodes/pack/versions/2.0", version_json("2.0"));
    EXPECT_THAT(find("").download_url, HasSubstr("/2.0/node.zip"));
}

TEST_F(FindInRegistry, NamesTheVersionsThatExist) {
    page("/nodes/pack/versions", {version_json("1.2"), version_json("1.1"),
                                  version_json("1.0", "NodeVersionStatusBanned")});
    const auto error = error_of("9.9");
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.message(), HasSubstr("no version 9.9 of pack"));
    EXPECT_EQ(error.hint(), "it has: 1.2, 1.1");
}

TEST_F(FindInRegistry, ListsVersionsWithWhatTheyDependOnButNoneThatWasWithdrawn) {
    auto first = version_json("1.2");
    first["createdAt"] = "2024-10-02T09:08:07.123456Z";
    page("/nodes/pack/versions",
         {first, version_json("1.1", "NodeVersionStatusDeleted"), 5, nlohmann::json::object(),
          version_json("1.0", "NodeVersionStatusFlagged")});
    const auto versions = list_registry_versions("pack", http_, mirrors_, retry_, {});
    ASSERT_EQ(versions.size(), 2U);
    EXPECT_EQ(versions[0].version, "1.2");
    EXPECT_EQ(versions[0].day, "2024-10-02");
    EXPECT_THAT(versions[0].dependencies, ElementsAre("numpy", "opencv-python"));
    EXPECT_EQ(versions[1].version, "1.0");
    EXPECT_EQ(versions[1].day, "");
    EXPECT_THAT(versions[1].verdict, HasSubstr("flagged"));
    EXPECT_THROW(list_registry_versions("gone", http_, mirrors_, retry_, {}), Error);
}

TEST_F(FindInRegistry, SaysThatThereIsNoSuchPack) {
    for (const auto* version : {"", "1.0"}) {
        const auto error = error_of(version);
        EXPECT_EQ(error.kind(), ErrorKind::not_found);
        EXPECT_THAT(error.message(), HasSubstr("no pack \"pack\""));
    }
}

TEST_F(FindInRegistry, RefusesWhatTheRegistryWarnsOfUnlessItIsTrusted) {
    using Trust = std::vector<std::string>;
    for (const auto& [status, word] :
         {std::pair{"Banned", "banned"}, std::pair{"Deleted", "withdrawn"},
          std::pair{"Flagged", "flagged"}}) {
        page("/nodes/pack/versions/1.0",
             version_json("1.0", std::string("NodeVersionStatus") + status));
        const auto found = find("1.0");
        for (const auto& trust : {Trust{}, Trust{"registry:pack@2.0", "pack", "registry:other"}}) {
            const auto error = test::error_of([&] { refuse_by_verdict("pack", found, trust); });
            EXPECT_EQ(error.kind(), ErrorKind::integrity);
            EXPECT_THAT(error.message(), HasSubstr(word));
            EXPECT_THAT(error.hint(), HasSubstr("registry:pack@1.0 in `trust`"));
        }
        EXPECT_NO_THROW(refuse_by_verdict("pack", found, {"registry:pack"}));
        EXPECT_NO_THROW(refuse_by_verdict("pack", found, {"registry:pack@1.0"}));
    }
    page("/nodes/pack", {{"status", "NodeStatusBanned"}, {"latest_version", version_json("2.0")}});
    EXPECT_THROW(refuse_by_verdict("pack", find(""), {}), Error);
}

TEST_F(FindInRegistry, TakesNoDownloadButFromTheWeb) {
    for (const char* url : {"file:///etc/passwd", "ssh://h/x.zip", "http://a~b/x.zip",
                            "ftp://h/x.zip", "https:///x.zip", "/x.zip"}) {
        auto version = version_json("1.0");
        version["downloadUrl"] = url;
        page("/nodes/pack/versions/1.0", version);
        EXPECT_THAT(error_of("1.0").message(), HasSubstr("no download")) << url;
    }
}

TEST_F(FindInRegistry, WarnsOfADeprecatedVersion) {
    auto old = version_json("0.9");
    old["deprecated"] = true;
    page("/nodes/pack/versions/0.9", old);
    EXPECT_THAT(find("0.9").note, HasSubstr("deprecated"));
}

TEST_F(FindInRegistry, TriesAgainAfterAFailureOfTheServer) {
    page("/nodes/pack/versions/1.0", version_json("1.0"));
    failures_ = 2;
    std::vector<int> attempts;
    retry_.on_retry = [&](int attempt, auto, const std::string&) { attempts.push_back(attempt); };
    EXPECT_EQ(find("1.0").version, "1.0");
    EXPECT_THAT(attempts, ElementsAre(2, 3));
}

TEST_F(FindInRegistry, GivesUpAfterTheLastAttempt) {
    failures_ = 3;
    const auto error = error_of("1.0");
    EXPECT_EQ(error.kind(), ErrorKind::network);
    EXPECT_THAT(error.message(), HasSubstr("503"));
}

TEST_F(FindInRegistry, RefusesAnAnswerThatIsNotWhatItAskedFor) {
    pages_["/nodes/pack/versions/1.0"] = "<html>sign in</html>";
    EXPECT_THAT(error_of("1.0").message(), HasSubstr("not JSON"));
    page("/nodes/pack/versions/2.0", {{"version", "2.0"}, {"downloadUrl", 5}});
    EXPECT_THAT(error_of("2.0").message(), HasSubstr("no download"));
}

TEST_F(FindInRegistry, StopsInTheMiddleOfAWait) {
    failures_ = 100;
    retry_ = {.attempts = 5, .first_wait = 1h, .longest_wait = 1h};
    std::stop_source stop;
    retry_.on_retry = [&](int, auto, const std::string&) { stop.request_stop(); };
    try {
        find_in_registry("pack", "1.0", http_, mirrors_, retry_, stop.get_token());
        FAIL() << "it should have been stopped";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    }
}

}  // namespace
}  // namespace podctl::comfy
