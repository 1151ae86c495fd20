#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"

#include "step_test.hpp"
#include "support/archives.hpp"
#include "support/hub.hpp"

namespace podctl::run {
namespace {

// A model that lies beside the root, so that no server is asked.
class ModelStep : public StepTest {
protected:
    ModelStep() {
        context.places.models = root / "models";
        offer(weights);
    }
    void offer(const std::string& bytes) { write_file_atomically(dir / "m.safetensors", bytes); }
    plan::FetchModel model_of(const std::string& name) const {
        plan::FetchModel model;
        model.source = hub::parse_source("file://" + (dir / name).string());
        model.resolved = hub::describe(std::get<hub::UrlSource>(model.source.location));
        model.folder = "loras";
        plan::place_model(model, context.places);
        return model;
    }
    plan::FetchModel model() const { return model_of("m.safetensors"); }

    const std::string weights = test::safetensors_bytes(100, 1);
    const fs::path place = root / "models/loras/m.safetensors";
};

TEST_F(ModelStep, BringsAFileAndRecordsHowItLooks) {
    EXPECT_EQ(look_at(model()).change, Change::create);
    const auto outcome = bring(model());
    EXPECT_TRUE(outcome.changed);
    const auto stamp = file_stamp(place).value();
    EXPECT_THAT(outcome.facts,
                UnorderedElementsAre(Pair("path", place.string()),
                                     Pair("size", std::to_string(weights.size())),
                                     Pair("mtime_ns", std::to_string(stamp.mtime_ns)),
                                     Pair("sha256", sha256_hex(weights))));
    EXPECT_EQ(look_at(model()).reason, "sha256 " + sha256_hex(weights).substr(0, 12));
    EXPECT_EQ(look_at(model(), "other").change, Change::change);
    context.options.verify = true;
    EXPECT_EQ(look_at(model()).reason, "to be verified");
    EXPECT_FALSE(bring(model()).changed);
}

TEST_F(ModelStep, NotesThatAFileStoodThereBefore) {
    write_file_atomically(place, weights);
    auto known = model();
    known.sha256 = sha256_hex(weights);
    const auto outcome = bring(known);
    EXPECT_FALSE(outcome.changed);
    EXPECT_THAT(outcome.facts, Contains(Pair("found", "yes")));
    EXPECT_EQ(look_at(known).change, Change::keep);
    // And still does when the template asks for it anew.
    EXPECT_THAT(bring(known, "other").facts, Contains(Pair("found", "yes")));
}

TEST_F(ModelStep, KeepsAFileThatNothingIsKnownToCompareWith) {
    const auto users = test::safetensors_bytes(200, 2);
    write_file_atomically(place, users);
    EXPECT_THAT(bring(model()).facts, Contains(Pair("found", "yes")));
    EXPECT_EQ(read_file(place), users);
    EXPECT_THAT(notices(), Contains(HasSubstr("nothing is known to compare it with")));
}

TEST_F(ModelStep, KeepsWhatAUserChangedAndNotesHowItLooks) {
    bring(model());
    write_file_atomically(place, "mine");
    EXPECT_EQ(look_at(model()).change, Change::change);
    const auto outcome = bring(model());
    EXPECT_FALSE(outcome.changed);
    EXPECT_THAT(outcome.facts, Contains(Pair("kept", HasSubstr("4:"))));
    EXPECT_THAT(outcome.facts, Contains(Pair("sha256", sha256_hex(weights))));
    EXPECT_EQ(look_at(model()).reason, "changed by hand");
    context.options.force = true;
    EXPECT_EQ(look_at(model()).change, Change::change);
    EXPECT_THAT(bring(model()).facts, Not(Contains(Key("kept"))));
    EXPECT_EQ(read_file(place), weights);
    EXPECT_THAT(notices(), Contains(HasSubstr(".podctl/replaced")));
}

TEST_F(ModelStep, ReplacesItsOwnWhereTheTemplateAsksForAnother) {
    bring(model());
    const auto other = test::safetensors_bytes(200, 2);
    offer(other);
    auto wanted = model();
    wanted.sha256 = sha256_hex(other);
    EXPECT_TRUE(bring(wanted, "other").changed);
    EXPECT_EQ(read_file(place), other);
    // A copy of the volume has other times, and is podctl's all the same.
    fs::last_write_time(place, fs::file_time_type::clock::now() - std::chrono::hours{1});
    offer(weights);
    wanted.sha256 = sha256_hex(weights);
    EXPECT_TRUE(bring(wanted, "third").changed);
    EXPECT_EQ(read_file(place), weights);
}

TEST_F(ModelStep, OverwritesNothingElse) {
    write_file_atomically(place, "mine");
    auto wanted = model();
    wanted.sha256 = sha256_hex(weights);
    EXPECT_EQ(error_of([&] { bring(wanted); }).kind(), ErrorKind::conflict);
    EXPECT_EQ(read_file(place), "mine");
    fs::remove(place);
    fs::create_directory(place);
    EXPECT_THAT(error_of([&] { bring(wanted); }).message(), HasSubstr("is there and is no file"));
}

TEST_F(ModelStep, NeedsTheWordForAPickleAndLooksAgainWithoutIt) {
    write_file_atomically(dir / "m.pt", std::string("\x80\x02.", 3));
    auto pickle = model_of("m.pt");
    EXPECT_EQ(error_of([&] { bring(pickle); }).kind(), ErrorKind::template_);
    EXPECT_FALSE(fs::exists(pickle.target));
    pickle.allow_pickle = true;
    EXPECT_THAT(bring(pickle).facts, Contains(Pair("pickle", "allowed")));
    EXPECT_EQ(look_at(pickle).change, Change::keep);
    pickle.allow_pickle = false;
    EXPECT_THAT(look_at(pickle).reason, HasSubstr("without the word"));
}

class ArchiveStep : public ModelStep {
protected:
    ArchiveStep() {
        test::write_archive(dir / "m.zip", test::ArchiveFormat::zip,
                            {{"a.safetensors", weights}, {"b/notes.txt", "notes"}});
    }
    plan::FetchModel archive() const {
        auto archive = model_of("m.zip");
        archive.unpack = true;
        plan::place_model(archive, context.places);
        return archive;
    }

    const fs::path folder = root / "models/loras";
};

TEST_F(ArchiveStep, LeavesItsFilesAndRecordsTheirSizes) {
    const auto outcome = bring(archive());
    EXPECT_TRUE(outcome.changed);
    EXPECT_THAT(outcome.facts,
                UnorderedElementsAre(
                    Pair("path", folder.string()), Pair("size", "0"), Pair("mtime_ns", "0"),
                    Pair("sha256", sha256_hex(read_file(dir / "m.zip"))),
                    Pair("files", "{\"a.safetensors\":" + std::to_string(weights.size()) +
                                      ",\"b/notes.txt\":5}")));
    EXPECT_EQ(read_file(folder / "b/notes.txt"), "notes");
    EXPECT_EQ(look_at(archive()).reason, "unpacked");
    fs::remove(folder / "b/notes.txt");
    EXPECT_EQ(look_at(archive()).change, Change::create);
    bring(archive());
    EXPECT_EQ(look_at(archive()).change, Change::keep);
}

TEST_F(ArchiveStep, OverwritesNoFileThatDiffers) {
    write_file_atomically(folder / "b/notes.txt", "mine");
    EXPECT_THAT(error_of([&] { bring(archive()); }).message(),
                HasSubstr("differs from the archive's"));
    EXPECT_EQ(read_file(folder / "b/notes.txt"), "mine");
    context.options.force = true;
    bring(archive());
    EXPECT_EQ(read_file(folder / "b/notes.txt"), "notes");
}

}  // namespace
}  // namespace podctl::run
