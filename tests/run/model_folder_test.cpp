#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"
#include "podctl/run/provision.hpp"
#include "podctl/template/load.hpp"

#include "support/hub.hpp"
#include "support/recording_sink.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>

// A repository of a hub as one model: how it is looked at and brought, and what it leaves.
namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using plan::Change;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class ModelFolder : public testing::Test {
protected:
    static constexpr const char* step = "model:r";
    static constexpr const char* others = "model:r/*";

    ModelFolder() {
        using enum test::HuggingFaceFile::Storage;
        for (const auto* path : {"model_index.json", "vae/config.json"})
            hub.add(test::HuggingFaceFile{"o/r", path, "{}" + std::string{path}, plain});
        hub.add(test::HuggingFaceFile{"o/r", "vae/a.safetensors", weights, lfs});
        use("exclude: []");
    }

    // The folder is r/ in the root.
    void use(const std::string& keys, const std::string& more = "") {
        use_lines("  - {source: \"hf:o/r\", to: /w/r, " + keys + "}\n" + more);
    }
    void use_lines(const std::string& models) {
        pod = tmpl::parse_template(
            "apiVersion: podctl/v1\nname: x\n"
            "pod: {image: i, volume: {name: v, mount: /w}}\nmodels:\n" +
                models,
            "pod.yaml");
        pod.mirrors = hub.mirrors();
    }
    std::vector<plan::Assessment> look(Options options = {}) {
        options.purpose = Purpose::look;
        Provisioner provisioner{pod, plan::places_of(pod, root()), {}, options, events};
        const auto plan = provisioner.make_plan({});
        auto all = provisioner.assess(plan, Provisioner::Sizes::ask, {});
        std::ranges::move(provisioner.assess_leftovers(plan), std::back_inserter(all));
        return all;
    }
    // Of a step that there is only in one line.
    plan::Assessment look_at(const std::string& id, const Options& options = {}) {
        std::vector<plan::Assessment> found;
        std::ranges::copy_if(look(options), std::back_inserter(found),
                             [&](const auto& it) { return it.step == id; });
        EXPECT_THAT(found, SizeIs(1)) << id;
        return found.empty() ? plan::Assessment{} : found.front();
    }
    bool names_others() {
        const auto all = look();
        return std::ranges::any_of(all, [](const auto& it) { return it.step == others; });
    }
    bool up(Options options = {}) {
        options.will_launch = false;
        Provisioner provisioner{pod, plan::places_of(pod, root()), {}, options, events};
        return !provisioner.provision(provisioner.make_plan({}), {}).failure;
    }
    event::StepFailed last_failure() const {
        const auto failed = events.all<event::StepFailed>();
        return failed.empty() ? event::StepFailed{} : failed.back();
    }
    // From now on `main` is another commit, without that file.
    void commit_without(const std::string& gone) {
        const std::string commit(40, 'b');
        nlohmann::json entries = nlohmann::json::array();
        for (const std::string path : {"model_index.json", "vae/config.json"})
            if (path != gone) entries.push_back(entry_of(path, "{}" + path));
        if (gone != "vae/a.safetensors") {
            entries.push_back(entry_of("vae/a.safetensors", weights));
            entries.back()["lfs"] = {{"oid", sha256_hex(weights)}};
        }
        hub.alter_huggingface([=](const test::Request& request, test::Response& response) {
            if (request.path.ends_with("/revision/main"))
                response.body = nlohmann::json{{"sha", commit}}.dump();
            if (request.path.ends_with("/tree/" + commit))
                response = {.status = 200, .body = entries.dump()};
        });
    }
    static nlohmann::json entry_of(const std::string& path, const std::string& bytes) {
        return {
            {"type", "file"}, {"path", path}, {"size", bytes.size()}, {"oid", git_blob_id(bytes)}};
    }
    fs::path root() const { return dir / "root"; }
    fs::path folder() const { return root() / "r"; }
    std::vector<std::string> in_replaced() const {
        std::vector<std::string> names;
        std::error_code none;
        for (const auto& entry :
             fs::recursive_directory_iterator{root() / ".podctl/replaced", none})
            if (entry.is_regular_file()) names.push_back(entry.path().filename());
        return names;
    }

    const std::string weights = test::safetensors_bytes(9'000, 7);
    test::TempDir dir;
    test::Hub hub;
    test::RecordingSink events;
    tmpl::Template pod;
};

TEST_F(ModelFolder, AFileWithoutAPossibleNameHindersNothingWhereItIsNotWanted) {
    hub.add(test::HuggingFaceFile{"o/r", "vae/aux.png", "x"});
    use("exclude: ['*.png']");
    EXPECT_EQ(look_at(step).change, Change::create);
    EXPECT_TRUE(up()) << last_failure().message;
    EXPECT_EQ(read_file(folder() / "vae/a.safetensors"), weights);
    EXPECT_EQ(look_at(step).change, Change::keep);
    use("include: ['*.json']");
    EXPECT_TRUE(up()) << last_failure().message;
}

TEST_F(ModelFolder, AFileWithoutAPossibleNameIsToldWhereItIsWanted) {
    hub.add(test::HuggingFaceFile{"o/r", "vae/aux.png", "x"});
    // Also where the journal knows the listing.
    for (int i = 0; i < 2; ++i) {
        EXPECT_THAT(look_at(step).reason, HasSubstr("vae/aux.png"));
        EXPECT_FALSE(up());
        EXPECT_THAT(last_failure().message, HasSubstr("vae/aux.png"));
        EXPECT_THAT(last_failure().hint, HasSubstr("`exclude`"));
    }
    EXPECT_FALSE(fs::exists(folder()));
}

TEST_F(ModelFolder, WhatNarrowerGlobsLeaveIsNamedAndKept) {
    ASSERT_TRUE(up()) << last_failure().message;
    use("exclude: ['vae/*']");
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(look_at(step).change, Change::keep);
        EXPECT_EQ(look_at(others).change, Change::keep);
        EXPECT_THAT(look_at(others).reason,
                    AllOf(HasSubstr("vae/a.safetensors, vae/config.json"), HasSubstr("--prune")));
        EXPECT_EQ(look_at(others, {.prune = true}).change, Change::remove);
        fs::remove(folder() / "model_index.json");  // so that the step has something to do
        ASSERT_TRUE(up());
    }
    EXPECT_TRUE(fs::exists(folder() / "vae/a.safetensors"));
}

TEST_F(ModelFolder, WhatNarrowerGlobsLeaveIsMovedAwayByPrune) {
    ASSERT_TRUE(up()) << last_failure().message;
    use("exclude: ['vae/a*']");
    ASSERT_TRUE(up({.prune = true}));
    EXPECT_FALSE(fs::exists(folder() / "vae/a.safetensors"));
    EXPECT_TRUE(fs::exists(folder() / "vae/config.json"));
    EXPECT_THAT(in_replaced(), testing::ElementsAre("a.safetensors"));
    EXPECT_FALSE(names_others());
    EXPECT_EQ(look_at(step).change, Change::keep);
    // What comes there now is the user's.
    write_file_atomically(folder() / "vae/a.safetensors", "mine");
    ASSERT_TRUE(up({.prune = true}));
    EXPECT_EQ(read_file(folder() / "vae/a.safetensors"), "mine");
}

TEST_F(ModelFolder, WhatANewRevisionLeavesIsNamedAndMovedAwayByPrune) {
    ASSERT_TRUE(up()) << last_failure().message;
    commit_without("vae/a.safetensors");
    EXPECT_THAT(look_at(others, {.update = true}).reason, HasSubstr("vae/a.safetensors"));
    fs::remove(folder() / "model_index.json");
    hub.alter_huggingface({});
    ASSERT_TRUE(up());
    commit_without("vae/a.safetensors");
    ASSERT_TRUE(up({.prune = true, .update = true})) << last_failure().message;
    EXPECT_THAT(in_replaced(), testing::ElementsAre("a.safetensors"));
    EXPECT_TRUE(fs::exists(folder() / "vae/config.json"));
}

TEST_F(ModelFolder, LeavesToTheUserWhatIsHis) {
    fs::create_directories(root());
    write_file_atomically(folder() / "vae/a.safetensors", weights);
    ASSERT_TRUE(up()) << last_failure().message;
    write_file_atomically(folder() / "vae/config.json", "mine");
    use("include: ['model_index.json']");
    EXPECT_FALSE(names_others());
    ASSERT_TRUE(up({.prune = true}));
    EXPECT_EQ(read_file(folder() / "vae/a.safetensors"), weights);
    EXPECT_EQ(read_file(folder() / "vae/config.json"), "mine");
}

TEST_F(ModelFolder, LeavesToAnotherModelWhatThatOneWants) {
    ASSERT_TRUE(up()) << last_failure().message;
    use("exclude: ['vae/*']", "  - {source: \"hf:o/r/vae/a.safetensors\", to: /w/r/vae}\n");
    ASSERT_TRUE(up({.prune = true})) << last_failure().message;
    EXPECT_EQ(read_file(folder() / "vae/a.safetensors"), weights);
    EXPECT_THAT(in_replaced(), testing::ElementsAre("config.json"));
}

TEST_F(ModelFolder, KnowsWhatItLeftWhenItIsWantedAgain) {
    ASSERT_TRUE(up()) << last_failure().message;
    for (int i = 0; i < 2; ++i) {
        use("exclude: ['vae/*']");
        fs::remove(folder() / "model_index.json");
        ASSERT_TRUE(up());
        EXPECT_TRUE(names_others());
        use("exclude: []");
        ASSERT_TRUE(up());
        EXPECT_FALSE(names_others());
    }
}

TEST_F(ModelFolder, IsToldWithTheReasonWhereItsHubRefusesIt) {
    using enum test::HuggingFaceFile::Storage;
    using enum test::HuggingFaceFile::Access;
    hub.add(test::HuggingFaceFile{"o/gated", "a.safetensors", weights, lfs, gated});
    use_lines(
        "  - {source: \"hf:o/gated\", to: /w/gated}\n  - {source: \"hf:o/none\", to: /w/none}\n"
        "  - {source: \"hf:o/gated/a.safetensors\", to: /w/one}\n");
    EXPECT_THAT(look_at("model:gated").reason, HasSubstr("hf:o/gated: a gated repository"));
    EXPECT_THAT(look_at("model:none").reason, HasSubstr("hf:o/none: no such repository"));
    EXPECT_THAT(look_at("model:one/a.safetensors").reason,
                HasSubstr("hf:o/gated/a.safetensors: a gated repository"));
}

TEST_F(ModelFolder, IsToldWithTheReasonWhereItsHubCannotBeReached) {
    pod.mirrors = {{"https://huggingface.co/", "http://127.0.0.1:1/"}};
    EXPECT_THAT(look_at(step).reason, AllOf(HasSubstr("hf:o/r: "), HasSubstr("127.0.0.1")));
    EXPECT_EQ(look_at(step).change, Change::create);
}

}  // namespace
}  // namespace podctl::run
