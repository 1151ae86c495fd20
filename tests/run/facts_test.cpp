#include "facts.hpp"

#include <gmock/gmock.h>

namespace podctl::run {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

// Read and written again. `facts` are as podctl 0.1 writes them.
template <class Kind>
void expect_the_same(const Facts& facts) {
    EXPECT_EQ(to_facts(from_facts<Kind>(facts)), facts);
}

TEST(Facts, OfEachKindAreWrittenAsTheyAreRead) {
    expect_the_same<CloneFacts>({{"commit", "c"}, {"branch", ""}});
    expect_the_same<CloneFacts>({{"commit", "c"}, {"branch", "main"}, {"companion", "/w/p"}});
    expect_the_same<RegistryFacts>({{"version", "1"}, {"tracking", "t"}, {"sha256", "s"}});
    expect_the_same<ArchiveFacts>({{"sha256", "s"}});
    expect_the_same<CopyFacts>({{"files", R"({"":[1,-2]})"}});
    expect_the_same<CopyFacts>({{"files", R"({"a":[1,2],"b/c":[3,4]})"}, {"in_place", "yes"}});
    expect_the_same<CopyFacts>({{"files", "{}"}});
    expect_the_same<ScriptFacts>({{"inputs", "i"}});
    expect_the_same<LockFacts>({{"lock", "l"}, {"inputs", ""}, {"left_out", ""}});
    expect_the_same<LockFacts>({{"lock", "l"}, {"inputs", "i"}, {"left_out", "a/b"}});
    expect_the_same<InstallFacts>({{"lock", "l"}});
    expect_the_same<InstallFacts>({{"lock", "l"}, {"installed", "d"}});
    expect_the_same<InstallFacts>({{"lock", "l"}, {"replaced", "a 1, b 2"}, {"mendings", "2"}});
    expect_the_same<BaseFacts>({{"path", "/usr/bin/python3"},
                                {"stamp", "5:1700000000123456789"},
                                {"sites", "/a\n/b"},
                                {"distributions", "d"}});
    expect_the_same<BaseFacts>(
        {{"path", ""}, {"stamp", "none"}, {"sites", ""}, {"distributions", "d"}});
    expect_the_same<TorchaudioFacts>({{"fails", ""}});
    expect_the_same<TorchaudioFacts>({{"fails", "ImportError"}});
}

TEST(Facts, OfModelsAreWrittenAsTheyAreRead) {
    expect_the_same<ModelFacts>(
        {{"path", "/w/m"}, {"size", "5"}, {"mtime_ns", "7"}, {"sha256", "s"}});
    expect_the_same<ModelFacts>({{"path", "/w/m"},
                                 {"size", "5"},
                                 {"mtime_ns", "7"},
                                 {"sha256", "s"},
                                 {"pickle", "allowed"},
                                 {"found", "yes"},
                                 {"kept", "6:8"}});
    expect_the_same<ModelFacts>({{"path", "/w/m"},
                                 {"size", "0"},
                                 {"mtime_ns", "0"},
                                 {"sha256", "s"},
                                 {"files", R"({"a":5,"b/c":6})"}});
    expect_the_same<ModelFacts>(
        {{"path", "/w/m"},
         {"revision", "c"},
         {"files", R"({"a":{"found":"yes","mtime_ns":"7","of":"o","sha256":"s","size":"5"},)"
                   R"("b":{"kept":"6:8","mtime_ns":"7","of":"o","sha256":"s","size":"5"}})"}});
}

TEST(Facts, OfHubsAreWrittenAsTheyAreRead) {
    expect_the_same<ResolutionFacts>({{"url", "u"},
                                      {"name", "n"},
                                      {"size", "18446744073709551615"},
                                      {"approximate_size", ""},
                                      {"sha256", "s"},
                                      {"git_blob", "b"},
                                      {"type", "t"},
                                      {"revision", "r"},
                                      {"verdict", "v"},
                                      {"model_name", "m"},
                                      {"model_id", "12"},
                                      {"version_id", "0"}});
    expect_the_same<ListingFacts>({{"revision", "c"}, {"files", "[]"}});
    expect_the_same<ListingFacts>({{"revision", "c"},
                                   {"files", R"([["a",5,"s",""],["b",6,"","g"]])"},
                                   {"impossible", R"(["aux.png"])"}});
}

TEST(Facts, ThatCannotBeReadAreLeftOut) {
    const auto file = from_facts<FileFacts>(
        {{"size", "5 "}, {"mtime_ns", "0x7"}, {"kept", "6"}, {"found", ""}, {"other", "x"}});
    EXPECT_EQ(file, FileFacts{});
    EXPECT_THAT(to_facts(file), IsEmpty());
    EXPECT_EQ(from_facts<InstallFacts>({{"mendings", "99999999999"}}).mendings, 0);
    for (const auto* stamp : {":", "1:", ":1", "1:2:3", "5", "none"})
        EXPECT_EQ(from_facts<BaseFacts>({{"stamp", stamp}}).stamp, std::nullopt) << stamp;
    for (const auto* files : {"", "[", "[]", "5", R"({"a":[1]})", R"({"a":["1",2]})", R"({"a":5})"})
        EXPECT_THAT(from_facts<CopyFacts>({{"files", files}}).files, IsEmpty()) << files;
    for (const auto* files : {"[1]", R"({"a":"5"})", R"({"a":-5})", R"({"a":[]})"})
        EXPECT_THAT(from_facts<ModelFacts>({{"files", files}}).files, IsEmpty()) << files;
}

// A member of an archive is its size alone, a file of a folder is not.
TEST(Facts, OfAFolderWithHalfAStampHaveNone) {
    const auto facts = from_facts<ModelFacts>(
        {{"files", R"({"a":{"size":"5","sha256":"s"},"b":{"mtime_ns":"7"},"c":{"size":5}})"}});
    EXPECT_THAT(facts.files, ElementsAre(Pair("a", FileFacts{.sha256 = "s"}),
                                         Pair("b", FileFacts{}), Pair("c", FileFacts{})));
}

TEST(Facts, TellWhetherAllOfThemCouldBeRead) {
    EXPECT_FALSE(whole_facts_in<InstallFacts>(std::nullopt));
    EXPECT_TRUE(whole_facts_in<InstallFacts>(Record{.fingerprint = {}, .facts = {}}));
    EXPECT_TRUE(
        whole_facts_in<InstallFacts>(Record{.fingerprint = {}, .facts = {{"mendings", "1"}}}));
    EXPECT_FALSE(
        whole_facts_in<InstallFacts>(Record{.fingerprint = {}, .facts = {{"mendings", "x"}}}));
}

}  // namespace
}  // namespace podctl::run
