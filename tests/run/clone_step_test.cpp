#include "podctl/base/error.hpp"

#include "step_test.hpp"
#include "support/git_server.hpp"

#include <algorithm>

namespace podctl::run {
namespace {

class CloneStep : public StepTest {
protected:
    CloneStep() { publish("1"); }

    std::string publish(const std::string& content) {
        const auto commit = work.commit_file("a", content);
        work.publish(dir / "served/pack.git");
        return commit;
    }
    plan::Clone clone(const std::string& ref = "") const {
        return {.kind = plan::CloneKind::custom_node,
                .url = server.url("pack.git"),
                .ref = ref,
                .path = place};
    }

    test::GitRepository work{dir / "work"};
    test::GitServer server{dir / "served"};
    const fs::path place = root / "custom_nodes/pack";
};

TEST_F(CloneStep, BringsWhatIsNotThereAndRecordsTheCommit) {
    EXPECT_EQ(look_at(clone()).change, Change::create);
    EXPECT_EQ(look_at(clone()).reason, server.url("pack.git"));
    const auto outcome = bring(clone());
    EXPECT_TRUE(outcome.changed);
    EXPECT_THAT(outcome.facts,
                UnorderedElementsAre(Pair("commit", work.head()), Pair("branch", "main")));
    EXPECT_EQ(read_file(place / "a"), "1");
    const auto kept = look_at(clone());
    EXPECT_EQ(kept.change, Change::keep);
    EXPECT_EQ(kept.reason, "at " + work.head().substr(0, 9));
    EXPECT_THAT(kept.notice, IsEmpty());
}

TEST_F(CloneStep, IsDetachedAtACommit) {
    const auto first = work.head();
    publish("2");
    EXPECT_THAT(bring(clone(first)).facts,
                UnorderedElementsAre(Pair("commit", first), Pair("branch", "")));
    EXPECT_EQ(look_at(clone(first)).change, Change::keep);
    context.options.update = true;
    EXPECT_EQ(look_at(clone(first)).change, Change::keep);
}

TEST_F(CloneStep, MovesToAnotherRefAndToTheNewestByUpdate) {
    const auto first = work.head();
    bring(clone(first));
    const auto second = publish("2");
    EXPECT_EQ(look_at(clone(), "other").reason, "to the default branch");
    const auto moved = bring(clone(), "other");
    EXPECT_TRUE(moved.changed);
    EXPECT_THAT(moved.facts, Contains(Pair("commit", second)));
    const auto third = publish("3");
    EXPECT_EQ(look_at(clone(), "other").change, Change::keep);
    context.options.update = true;
    EXPECT_EQ(look_at(clone(), "other").reason, "--update");
    EXPECT_THAT(bring(clone(), "other").facts, Contains(Pair("commit", third)));
}

TEST_F(CloneStep, TakesACheckoutThatFitsAsItIs) {
    test::git(dir.path(), {"clone", "--quiet", server.url("pack.git"), place.string()});
    EXPECT_EQ(look_at(clone()).change, Change::change);
    write_file_atomically(place / "a", "the user's");
    const int fetched = server.fetches();
    EXPECT_FALSE(bring(clone()).changed);
    EXPECT_EQ(server.fetches(), fetched);
    EXPECT_EQ(read_file(place / "a"), "the user's");
}

TEST_F(CloneStep, KeepsWhereTheUserMovedItAndTellsSo) {
    const auto first = work.head();
    const auto second = publish("2");
    bring(clone());
    test::git(place, {"fetch", "--quiet", "--depth=2"});
    test::git(place, {"checkout", "--quiet", first});
    const auto found = look_at(clone());
    EXPECT_EQ(found.change, Change::keep);
    EXPECT_THAT(found.notice, HasSubstr("was moved by hand from " + second.substr(0, 9) + " to " +
                                        first.substr(0, 9)));
    context.options.force = true;
    EXPECT_EQ(look_at(clone()).change, Change::change);
    EXPECT_THAT(bring(clone()).facts, Contains(Pair("commit", second)));
    EXPECT_THAT(notices(), Contains(HasSubstr(".podctl/replaced")));
}

TEST_F(CloneStep, ByForceGivesBackWhatTheFreshCheckoutHasNot) {
    bring(clone());
    write_file_atomically(place / "a", "the user's");
    write_file_atomically(place / "models/m.bin", "bytes");
    context.options.force = true;
    EXPECT_EQ(look_at(clone()).reason, "--force: it was changed by hand");
    bring(clone());
    EXPECT_EQ(read_file(place / "a"), "1");
    EXPECT_EQ(read_file(place / "models/m.bin"), "bytes");
}

TEST_F(CloneStep, OverwritesNothingThatIsNoCheckoutOfIt) {
    write_file_atomically(place / "mine", "x");
    const auto occupied = error_of([&] { bring(clone()); });
    EXPECT_EQ(occupied.kind(), ErrorKind::conflict);
    EXPECT_THAT(occupied.message(), HasSubstr("is not a checkout of"));
    fs::remove_all(place);
    test::GitRepository other{place};
    other.commit_file("b", "1");
    other.git({"remote", "add", "origin", "https://example.com/other.git"});
    EXPECT_THAT(error_of([&] { bring(clone()); }).message(),
                HasSubstr("is a checkout of https://example.com/other.git, not of"));
    context.options.force = true;
    bring(clone());
    EXPECT_EQ(read_file(place / "a"), "1");
}

TEST_F(CloneStep, AsksNoServerOffline) {
    context.options.offline = true;
    const auto error = error_of([&] { bring(clone()); });
    EXPECT_EQ(error.kind(), ErrorKind::network);
    EXPECT_THAT(error.message(), HasSubstr("--offline"));
    EXPECT_THAT(server.http().requests(), IsEmpty());
}

// Impact before V8 imports a repository of its author's from a folder of its own.
class CloneOfImpact : public StepTest {
protected:
    CloneOfImpact() {
        pack.write("__init__.py", "import impact.subpack_nodes\n\"impact_subpack\"\n");
        pack.commit();
        pack.publish(dir / "served/ltdrdata/ComfyUI-Impact-Pack.git");
        subpack.commit_file("impact/subpack_nodes.py", "");
        subpack.publish(dir / "served/ltdrdata/ComfyUI-Impact-Subpack.git");
    }

    test::GitRepository subpack{dir / "subpack"}, pack{dir / "pack"};
    test::GitServer server{dir / "served"};
    const plan::Clone clone{.kind = plan::CloneKind::custom_node,
                            .url = server.url("ltdrdata/ComfyUI-Impact-Pack.git"),
                            .ref = {},
                            .path = root / "impact"};
};

TEST_F(CloneOfImpact, BringsTheSecondRepositoryAndMissesItLater) {
    const auto companion = (root / "impact/impact_subpack").string();
    const auto facts = bring(clone).facts;
    EXPECT_THAT(facts, Contains(Pair("companion", companion)));
    EXPECT_TRUE(fs::exists(root / "impact/impact_subpack/impact/subpack_nodes.py"));
    EXPECT_EQ(look_at(clone).change, Change::keep);
    // It is remembered while nothing is missing.
    EXPECT_THAT(bring(clone).facts, Contains(Pair("companion", companion)));
    fs::remove_all(companion);
    EXPECT_EQ(look_at(clone).reason, companion + " is missing");
    EXPECT_TRUE(bring(clone).changed);
    EXPECT_TRUE(fs::exists(companion));
}

}  // namespace
}  // namespace podctl::run
