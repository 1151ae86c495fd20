#include "podctl/base/error.hpp"

#include "store_fixture.hpp"
#include "support/other_disk.hpp"

#include <gmock/gmock.h>

#include <vector>

namespace podctl::download {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using State = StoredPlace::State;

class StoreCare : public StoreTest {
protected:
    static std::vector<std::string> digests_of(const std::vector<StoreEntry>& entries) {
        std::vector<std::string> digests;
        for (const auto& entry : entries)
            digests.push_back(entry.file.sha256);
        return digests;
    }
    // A root whose volume tells that it is the one that was noted.
    StoreUser volume(const std::string& id) const {
        const fs::path mark = root / ".podctl/root-id";
        write_file_atomically(mark, id);
        return {.mark = mark, .id = id};
    }
};

TEST_F(StoreCare, ListsWhatIsThereAndWhoHasIt) {
    const auto file = put();
    link(file, place);
    link(file, dir / "other/m.bin", volume("here"));
    fs::remove(place);
    const auto entries = list_store(store);
    ASSERT_THAT(entries, SizeIs(1));
    const auto& entry = entries[0];
    EXPECT_EQ(entry.name, "m.bin");
    EXPECT_EQ(entry.names, 1u);
    ASSERT_THAT(entry.places, SizeIs(2));
    EXPECT_EQ(entry.places[0].path, dir / "other/m.bin");
    EXPECT_EQ(entry.places[0].state, State::linked);
    EXPECT_EQ(entry.places[0].kind, LinkKind::hard_link);
    EXPECT_EQ(entry.places[1].state, State::gone);
    EXPECT_TRUE(entry.is_in_use());
}

TEST_F(StoreCare, PassesOverWhatIsNoneOfItsFiles) {
    put();
    const auto shelf = store.path_of(sha256_hex("weights")).parent_path();
    write_file_atomically(shelf / "notes.txt", "x");
    write_file_atomically(shelf / std::string(64, 'A'), "x");
    write_file_atomically(shelf / ".x.podctl-000001", "x");
    const auto notes = dir / "store/index" / sha256_hex("weights");
    write_file_atomically(notes / "a.place", "{\"path\":\"/a\",\"ki");
    write_file_atomically(notes / "b.place", "{\"path\":\"../a\"}");
    write_file_atomically(notes / "c.place", "{\"path\":7}");
    const auto entries = list_store(store);
    ASSERT_THAT(entries, SizeIs(1));
    EXPECT_THAT(entries[0].places, IsEmpty());
}

TEST_F(StoreCare, PrunesWhatNoRootHasAnyMore) {
    const auto kept = put("kept"), gone = put("gone");
    link(kept, place);
    link(gone, dir / "other/m.bin");
    fs::remove_all(dir / "other");
    const auto plan = prune({.keep = std::chrono::milliseconds{0}, .run = StorePruning::Run::dry});
    EXPECT_THAT(digests_of(plan.files), ElementsAre(gone.sha256));
    EXPECT_TRUE(find(gone.sha256).file);
    const auto pruned = prune();
    EXPECT_THAT(digests_of(pruned.files), ElementsAre(gone.sha256));
    EXPECT_EQ(pruned.bytes, 4u);
    EXPECT_FALSE(fs::exists(store.path_of(gone.sha256)));
    EXPECT_FALSE(fs::exists(dir / "store/index" / gone.sha256));
    EXPECT_TRUE(find(kept.sha256).file);
    EXPECT_THAT(prune().files, IsEmpty());
    EXPECT_EQ(read_file(place), "kept");
}

TEST_F(StoreCare, KeepsWhatHasJustCome) {
    const auto file = put();
    const auto pruned = prune({});
    EXPECT_THAT(pruned.files, IsEmpty());
    EXPECT_THAT(digests_of(pruned.too_new), ElementsAre(file.sha256));
    EXPECT_TRUE(find(file.sha256).file);
}

TEST_F(StoreCare, KeepsWhatIsLinkedFromAVolumeThatIsNotHere) {
    const test::OtherDisk disk;
    if (!disk) GTEST_SKIP() << "there is one file system alone";
    const auto file = put();
    ASSERT_EQ(link(file, disk / "m.bin", volume("theirs")), LinkKind::symbolic_link);
    // Another pod has another volume at the same path.
    volume("ours");
    fs::remove(disk / "m.bin");
    EXPECT_EQ(list_store(store).at(0).places.at(0).state, State::unseen);
    EXPECT_THAT(prune().files, IsEmpty());
    volume("theirs");
    EXPECT_EQ(list_store(store).at(0).places.at(0).state, State::gone);
    volume("ours");
    const auto pruned =
        prune({.keep = std::chrono::milliseconds{0}, .unseen = StorePruning::Unseen::remove});
    EXPECT_THAT(digests_of(pruned.files), ElementsAre(file.sha256));
}

TEST_F(StoreCare, KeepsWhatASymbolicLinkLeadsTo) {
    const test::OtherDisk disk;
    if (!disk) GTEST_SKIP() << "there is one file system alone";
    const auto file = put();
    ASSERT_EQ(link(file, disk / "m.bin"), LinkKind::symbolic_link);
    EXPECT_THAT(prune().files, IsEmpty());
    EXPECT_EQ(read_file(disk / "m.bin"), "weights");
    fs::remove(disk / "m.bin");
    EXPECT_THAT(prune().files, SizeIs(1));
}

TEST_F(StoreCare, RemovesWhatWasCutShortLongAgo) {
    const auto old = dir / "store/partial" / (sha256_hex("x") + ".part");
    write_file_atomically(old, "half");
    EXPECT_EQ(prune().leftovers, 0u);
    EXPECT_TRUE(fs::exists(old));
    write_file_atomically(dir / "store/damaged/x", "bad");
    const auto pruned = prune();
    EXPECT_EQ(pruned.leftovers, 1u);
    EXPECT_EQ(pruned.bytes, 3u);
    EXPECT_FALSE(fs::exists(dir / "store/damaged/x"));
}

TEST_F(StoreCare, NamesWhatIsDamagedAndMovesItAwayWhereToldTo) {
    const auto good = put("good"), bad = put("bad!");
    link(bad, place);
    damage(store.path_of(bad.sha256), "BAD!");
    std::vector<std::string> seen;
    const auto on_file = [&](const StoreEntry& entry, const std::optional<StoreDamage>&) {
        seen.push_back(entry.file.sha256);
    };
    auto damaged = check_store(store, {.on_file = on_file}, {});
    ASSERT_THAT(damaged, SizeIs(1));
    EXPECT_THAT(seen, SizeIs(2));
    EXPECT_EQ(damaged[0].entry.file.sha256, bad.sha256);
    EXPECT_THAT(damaged[0].fault, HasSubstr(sha256_hex("BAD!")));
    EXPECT_FALSE(damaged[0].moved_to);
    damaged = check_store(store, {.repair = StoreCheck::Repair::yes}, {});
    ASSERT_THAT(damaged, SizeIs(1));
    EXPECT_EQ(read_file(damaged[0].moved_to.value()), "BAD!");
    EXPECT_THAT(check_store(store, {}, {}), IsEmpty());
    EXPECT_TRUE(find(good.sha256).file);
}

}  // namespace
}  // namespace podctl::download
