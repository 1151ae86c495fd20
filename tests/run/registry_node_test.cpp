#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"

#include "step_test.hpp"
#include "support/archives.hpp"
#include "support/http_server.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace podctl::run {
namespace {

// A registry of one pack.
class RegistryStep : public StepTest {
protected:
    RegistryStep() {
        context.mirrors = Mirrors{{{"https://api.comfy.org/", registry.url("/")}}};
        offer("1.0", "one");
    }
    void offer(const std::string& version, const std::string& content) {
        newest_ = version;
        test::write_archive(archive(version), test::ArchiveFormat::zip,
                            {{"a.py", content}, {"b/c.py", "c"}});
    }
    fs::path archive(const std::string& version) const { return dir / (version + ".zip"); }
    test::Response answer(const test::Request& request) const {
        if (request.path.ends_with(".zip"))
            return {.body = read_file(dir / request.path.substr(1))};
        const auto version =
            request.path == "/nodes/pack" ? newest_ : fs::path{request.path}.filename();
        const nlohmann::json found{
            {"version", version},
            {"downloadUrl", fmt::format("https://api.comfy.org/{}.zip", version.string())},
            {"status", "NodeVersionStatusActive"}};
        return {.body = request.path == "/nodes/pack"
                            ? nlohmann::json{{"latest_version", found}}.dump()
                            : found.dump()};
    }

    const plan::RegistryNode newest{
        .id = "pack", .version = {}, .path = root / "custom_nodes/pack"};
    const std::string record_of_archive = "archive:registry:pack@1.0";
    static constexpr const char* tracking = "a.py\nb/c.py\n";

private:
    fs::path newest_;
    test::HttpServer registry{[this](const test::Request& it) { return answer(it); }};
};

TEST_F(RegistryStep, BringsAPackWithItsListOfFilesAndRecordsBoth) {
    EXPECT_EQ(look_at(newest).reason, "from the Comfy registry");
    const auto outcome = bring(newest);
    EXPECT_TRUE(outcome.changed);
    const auto sha256 = sha256_hex(read_file(archive("1.0")));
    EXPECT_THAT(outcome.facts,
                UnorderedElementsAre(Pair("version", "1.0"), Pair("tracking", sha256_hex(tracking)),
                                     Pair("sha256", sha256)));
    EXPECT_THAT(context.journal.find(record_of_archive)->facts,
                UnorderedElementsAre(Pair("sha256", sha256)));
    EXPECT_EQ(read_file(newest.path / "b/c.py"), "c");
    EXPECT_EQ(read_file(newest.path / ".tracking"), tracking);
    EXPECT_EQ(look_at(newest).reason, "version 1.0");
    EXPECT_EQ(look_at(newest).change, Change::keep);
}

TEST_F(RegistryStep, MovesByUpdateAndKeepsWhatWasThere) {
    const auto before = bring(newest).facts;
    EXPECT_EQ(look_at(newest, "other").reason, "to latest");
    // The same version again is left as it is.
    EXPECT_EQ(bring(newest, "other").facts, before);
    offer("2.0", "two");
    EXPECT_EQ(look_at(newest, "other").change, Change::keep);
    context.options.update = true;
    EXPECT_EQ(look_at(newest, "other").reason, "--update");
    EXPECT_THAT(bring(newest, "other").facts, Contains(Pair("version", "2.0")));
    EXPECT_EQ(read_file(newest.path / "a.py"), "two");
    EXPECT_THAT(notices(), Contains(HasSubstr(".podctl/replaced")));
}

TEST_F(RegistryStep, OverwritesNothingThatPodctlDidNotBring) {
    write_file_atomically(newest.path / "a.py", "the user's");
    EXPECT_EQ(error_of([&] { bring(newest); }).kind(), ErrorKind::conflict);
    EXPECT_EQ(read_file(newest.path / "a.py"), "the user's");
    context.options.force = true;
    bring(newest);
    EXPECT_EQ(read_file(newest.path / "a.py"), "one");
}

TEST_F(RegistryStep, KnowsWhatARunBroughtThatCouldNotRecordIt) {
    const auto facts = bring(newest).facts;
    context.journal.erase(id);
    EXPECT_EQ(look_at(newest).change, Change::change);
    const auto again = bring(newest);
    EXPECT_FALSE(again.changed);
    EXPECT_EQ(again.facts, facts);
}

TEST_F(RegistryStep, RefusesOtherFilesUnderTheSameVersion) {
    bring(newest);
    fs::remove_all(newest.path);
    context.journal.erase(id);
    offer("1.0", "another");
    const auto error = error_of([&] { bring(newest); });
    EXPECT_EQ(error.kind(), ErrorKind::integrity);
    EXPECT_FALSE(fs::exists(newest.path));
    context.options.update = true;
    bring(newest);
    EXPECT_EQ(read_file(newest.path / "a.py"), "another");
    EXPECT_THAT(notices(), Contains(HasSubstr("is not the one that it was")));
}

TEST_F(RegistryStep, AsksNobodyOffline) {
    context.options.offline = true;
    EXPECT_EQ(error_of([&] { bring(newest); }).kind(), ErrorKind::network);
}

}  // namespace
}  // namespace podctl::run
