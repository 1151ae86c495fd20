#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/download/store_care.hpp"

#include "step_test.hpp"
#include "support/hub.hpp"
#include "support/other_disk.hpp"

#include <fcntl.h>
#include <sys/stat.h>

namespace podctl::run {
namespace {

// A model that lies beside the root, and a store.
class ModelOfAStore : public StepTest {
protected:
    ModelOfAStore() {
        context.places.models = root / "models";
        context.options.store = dir / "store";
        write_file_atomically(offered, weights);
    }
    plan::FetchModel model() const {
        plan::FetchModel model;
        model.source = hub::parse_source("file://" + offered.string());
        model.resolved = hub::describe(std::get<hub::UrlSource>(model.source.location));
        model.folder = "loras";
        model.sha256 = sha256_hex(weights);
        plan::place_model(model, context.places);
        return model;
    }
    // As another root has left it.
    download::Store store_with_it() const {
        download::Store store{dir / "store", Missing::make};
        write_file_atomically(dir / "part", weights);
        struct stat status {};
        EXPECT_EQ(::stat((dir / "part").c_str(), &status), 0);
        store.take({.path = dir / "part",
                    .sha256 = sha256_hex(weights),
                    .identity = {.device = status.st_dev, .inode = status.st_ino}},
                   {});
        return store;
    }
    bool is_one_file(const fs::path& one, const fs::path& other) const {
        std::error_code failed;
        return fs::equivalent(one, other, failed) && !failed;
    }

    const std::string weights = test::safetensors_bytes(100, 1);
    const fs::path offered = dir / "m.safetensors", place = root / "models/loras/m.safetensors";
    const fs::path stored =
        dir / "store/sha256" / sha256_hex(weights).substr(0, 2) / sha256_hex(weights);
};

TEST_F(ModelOfAStore, IsLinkedWithoutAskingAnybody) {
    store_with_it();
    fs::remove(offered);
    context.options.offline = true;
    const auto found = look_at(model());
    EXPECT_THAT(found.reason, HasSubstr("from the store"));
    EXPECT_EQ(found.download, Bytes{});
    EXPECT_EQ(found.disk, Bytes{});
    const auto outcome = bring(model());
    EXPECT_TRUE(outcome.changed);
    EXPECT_TRUE(is_one_file(place, stored));
    EXPECT_EQ(context.downloaded_bytes, 0u);
    EXPECT_EQ(look_at(model()).change, Change::keep);
    const auto entries = download::list_store(context.store()->store);
    EXPECT_EQ(entries.at(0).places.at(0).path, place);
    EXPECT_EQ(entries.at(0).places.at(0).state, download::StoredPlace::State::linked);
}

TEST_F(ModelOfAStore, GoesThereAsItIsFetched) {
    EXPECT_TRUE(bring(model()).changed);
    EXPECT_TRUE(is_one_file(place, stored));
    EXPECT_EQ(context.store()->store.path(), dir / "store");
}

TEST_F(ModelOfAStore, GoesThereOnceItsDigestIsKnown) {
    auto unknown = model();
    unknown.sha256.clear();
    EXPECT_TRUE(bring(unknown).changed);
    EXPECT_TRUE(is_one_file(place, stored));
    EXPECT_EQ(look_at(unknown).change, Change::keep);
    EXPECT_TRUE(fs::is_empty(context.places.partial));
}

TEST_F(ModelOfAStore, IsFetchedAsEverWithoutOne) {
    context.options.store.clear();
    EXPECT_TRUE(bring(model()).changed);
    EXPECT_FALSE(fs::exists(dir / "store"));
    EXPECT_EQ(fs::hard_link_count(place), 1u);
}

TEST_F(ModelOfAStore, IsFetchedAnewWhereTheStoresIsDamaged) {
    const auto store = store_with_it();
    fs::permissions(stored, fs::perms{0644});
    write_file_atomically(stored, "something else");
    EXPECT_TRUE(bring(model()).changed);
    EXPECT_EQ(read_file(place), weights);
    EXPECT_TRUE(is_one_file(place, stored));
    EXPECT_THAT(notices(), Contains(HasSubstr("is damaged")));
}

// One inode, so what is wrong here is wrong there.
TEST_F(ModelOfAStore, IsVerifiedInBothPlaces) {
    bring(model());
    const auto time = fs::last_write_time(place);
    fs::permissions(place, fs::perms{0644});
    auto wrong = weights;
    wrong.back() = static_cast<char>(wrong.back() ^ 1);
    write_all(Fd{::open(place.c_str(), O_WRONLY | O_CLOEXEC)}.get(), wrong, place);
    fs::last_write_time(place, time);
    EXPECT_EQ(look_at(model()).change, Change::keep);
    context.options.verify = true;
    EXPECT_TRUE(bring(model()).changed);
    EXPECT_EQ(read_file(place), weights);
    EXPECT_EQ(read_file(stored), weights);
}

TEST_F(ModelOfAStore, IsRefusedForWhatItHolds) {
    write_file_atomically(offered, std::string("\x80\x02.", 3));
    auto wanted = model();
    wanted.sha256 = sha256_hex(read_file(offered));
    wanted.name = "m.pt";
    wanted.allow_pickle = true;
    bring(wanted);
    // By its name, and under one that says nothing by its content.
    wanted.allow_pickle = false;
    for (const char* name : {"n.pt", "n"}) {
        wanted.name = name;
        EXPECT_EQ(error_of([&] { bring(wanted, name); }).kind(), ErrorKind::template_) << name;
        EXPECT_FALSE(fs::exists(root / "models/loras" / name));
    }
}

TEST_F(ModelOfAStore, OverwritesNoFileOfTheUser) {
    store_with_it();
    write_file_atomically(place, "mine");
    EXPECT_EQ(error_of([&] { bring(model()); }).kind(), ErrorKind::conflict);
    EXPECT_EQ(read_file(place), "mine");
}

TEST_F(ModelOfAStore, IsLinkedAnewWhereItsLinkLeadsNowhere) {
    const test::OtherDisk disk;
    if (!disk) GTEST_SKIP() << "there is one file system alone";
    context.options.store = disk / "store";
    bring(model());
    ASSERT_TRUE(fs::is_symlink(place));
    EXPECT_EQ(look_at(model()).change, Change::keep);
    fs::remove(fs::read_symlink(place));
    EXPECT_EQ(look_at(model()).change, Change::create);
    EXPECT_TRUE(bring(model()).changed);
    EXPECT_EQ(read_file(place), weights);
    // A link to anywhere else is the user's.
    fs::remove(place);
    fs::create_symlink(dir / "nowhere", place);
    EXPECT_THAT(error_of([&] { bring(model()); }).message(), HasSubstr("is there and is no file"));
}

TEST_F(ModelOfAStore, TakesNothingOfTheVolumeFromAnotherDisk) {
    const test::OtherDisk disk;
    if (!disk) GTEST_SKIP() << "there is one file system alone";
    context.options.store = disk / "store";
    auto wanted = model();
    wanted.resolved->size = weights.size();
    const auto found = look_at(wanted);
    EXPECT_EQ(found.download, Bytes{weights.size()});
    EXPECT_EQ(found.disk, Bytes{});
    EXPECT_EQ(found.store, Bytes{weights.size()});
}

TEST_F(ModelOfAStore, NeedsRoomOnItsDisk) {
    context.due.store = Bytes{std::uint64_t{1} << 60};
    const auto error = error_of([&] { bring(plan::Preflight{}); });
    EXPECT_EQ(error.kind(), ErrorKind::preflight);
    EXPECT_THAT(error.message(), HasSubstr((dir / "store").string()));
    context.due.store = Bytes{1};
    EXPECT_FALSE(bring(plan::Preflight{}).changed);
}

TEST_F(ModelOfAStore, OfAnEarlierRunIsAdopted) {
    context.options.store.clear();
    bring(model());
    const auto before = file_stamp(place);
    Context later{.pod = pod,
                  .places = context.places,
                  .options = {.store = dir / "store"},
                  .secrets = {},
                  .mirrors = {},
                  .events = events,
                  .journal = Journal{root / ".podctl/journal.jsonl"},
                  .pythons = {}};
    adopt_models({.places = context.places, .steps = {step_of(model())}}, later);
    EXPECT_TRUE(is_one_file(place, stored));
    EXPECT_EQ(file_stamp(place), before);
    EXPECT_EQ(look_at(model()).change, Change::keep);
}

TEST_F(ModelOfAStore, ChangedByHandIsNotAdopted) {
    context.options.store.clear();
    bring(model());
    write_file_atomically(place, "mine");
    bring(model());
    Context later{.pod = pod,
                  .places = context.places,
                  .options = {.store = dir / "store"},
                  .secrets = {},
                  .mirrors = {},
                  .events = events,
                  .journal = Journal{root / ".podctl/journal.jsonl"},
                  .pythons = {}};
    adopt_models({.places = context.places, .steps = {step_of(model())}}, later);
    EXPECT_THAT(download::list_store(later.store()->store), IsEmpty());
}

TEST_F(ModelOfAStore, IsFetchedWithoutOneThatOthersCanWriteTo) {
    fs::create_directories(dir / "store");
    fs::permissions(dir / "store", fs::perms::all);
    EXPECT_TRUE(bring(model()).changed);
    EXPECT_EQ(read_file(place), weights);
    EXPECT_EQ(fs::hard_link_count(place), 1u);
    EXPECT_THAT(notices(), Contains(HasSubstr("the store is not used")));
}

TEST_F(ModelOfAStore, IsLookedForWithoutMakingOne) {
    context.options.purpose = Purpose::look;
    EXPECT_THAT(look_at(model()).reason, Not(HasSubstr("from the store")));
    EXPECT_FALSE(fs::exists(dir / "store"));
    EXPECT_FALSE(fs::exists(root / ".podctl/root-id"));
    EXPECT_THAT(notices(), IsEmpty());
}

}  // namespace
}  // namespace podctl::run
