#include "target.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace podctl::git {
namespace {

using enum Target::Kind;

std::string id(char digit) {
    return std::string(40, digit);
}

const std::vector<RemoteRef> refs{
    {.name = "HEAD", .id = id('a'), .symref = "refs/heads/main"},
    {.name = "refs/heads/deadbeef", .id = id('b'), .symref = {}},
    {.name = "refs/heads/main", .id = id('a'), .symref = {}},
    {.name = "refs/pull/7/head", .id = id('c'), .symref = {}},
    {.name = "refs/tags/v1.0", .id = id('d'), .symref = {}},
    {.name = "refs/tags/v1.0^{}", .id = id('a'), .symref = {}},
};

TEST(FindTarget, TakesTheDefaultBranchForNoRef) {
    EXPECT_EQ(find_target(refs, ""), (Target{branch, "main"}));
}

TEST(FindTarget, FindsBranchesTagsAndWholeNames) {
    EXPECT_EQ(find_target(refs, "v1.0"), (Target{tag, "v1.0"}));
    EXPECT_EQ(find_target(refs, "refs/tags/v1.0"), (Target{tag, "v1.0"}));
    EXPECT_EQ(find_target(refs, "refs/heads/main"), (Target{branch, "main"}));
    EXPECT_EQ(find_target(refs, "refs/pull/7/head"), (Target{other, "refs/pull/7/head"}));
    EXPECT_EQ(find_target(refs, "v1"), std::nullopt);
}

TEST(FindTarget, TakesANameBeforeAnAbbreviatedCommit) {
    EXPECT_EQ(find_target(refs, "deadbeef"), (Target{branch, "deadbeef"}));
    EXPECT_EQ(find_target(refs, "DEADBEE"), (Target{short_commit, "deadbee"}));
    EXPECT_EQ(find_target(refs, "dea"), std::nullopt);
}

TEST(FindTarget, TakesFortyDigitsForACommitWhateverTheServerHas) {
    EXPECT_EQ(find_target({}, id('F')), (Target{commit, id('f')}));
}

TEST(DefaultBranch, IsGuessedWhereTheServerDoesNotTell) {
    auto untold = refs;
    untold[0].symref.clear();
    EXPECT_EQ(default_branch(untold), "main");
    untold[0].id = id('b');
    EXPECT_EQ(default_branch(untold), "deadbeef");
    untold[0].id = id('e');
    EXPECT_EQ(default_branch(untold), "");
}

TEST(NoSuchRef, NamesWhatIsNear) {
    const auto error = no_such_ref(refs, "1.0", "https://host/x");
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.hint(), testing::HasSubstr("v1.0"));
    EXPECT_THAT(no_such_ref({}, "1.0", "https://host/x").hint(), testing::HasSubstr("neither"));
}

}  // namespace
}  // namespace podctl::git
