#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"
#include "podctl/download/place.hpp"

#include "support/error_of.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <filesystem>

namespace podctl::download {
namespace {

using testing::IsEmpty;

class PlaceOfAFile : public testing::Test {
protected:
    PlaceOfAFile() { write_file_atomically(place, "weights"); }
    Standing::Kind kind(const Expected& expected) const {
        return look_at_place(place, expected, {}).kind;
    }

    test::TempDir dir;
    const std::filesystem::path place = dir / "m.safetensors";
    const std::string sha256 = sha256_hex("weights"), blob = git_blob_id("weights");
};

TEST_F(PlaceOfAFile, HoldsTheSameWhereTheDigestSaysSo) {
    EXPECT_EQ(kind({.sha256 = sha256, .size = 7}), Standing::Kind::same);
    EXPECT_EQ(kind({.git_blob = blob}), Standing::Kind::same);
    EXPECT_EQ(look_at_place(place, {.sha256 = sha256}, {}).sha256, sha256);
    // A link is followed.
    std::filesystem::create_symlink(place, dir / "link");
    EXPECT_EQ(look_at_place(dir / "link", {.sha256 = sha256}, {}).kind, Standing::Kind::same);
}

TEST_F(PlaceOfAFile, HoldsAnotherWhereSizeOrDigestDiffer) {
    EXPECT_EQ(kind({.sha256 = sha256_hex("other")}), Standing::Kind::other);
    EXPECT_EQ(kind({.git_blob = sha256}), Standing::Kind::other);
    EXPECT_EQ(kind({.size = 8}), Standing::Kind::other);
    // The better digest counts.
    EXPECT_EQ(kind({.sha256 = sha256_hex("other"), .git_blob = blob}), Standing::Kind::other);
}

TEST_F(PlaceOfAFile, CannotBeComparedBySizeAlone) {
    EXPECT_EQ(kind({.size = 7}), Standing::Kind::incomparable);
    EXPECT_EQ(kind({}), Standing::Kind::incomparable);
    EXPECT_THAT(look_at_place(place, {}, {}).sha256, IsEmpty());
}

TEST_F(PlaceOfAFile, MayHoldNothingOrNoFile) {
    EXPECT_EQ(look_at_place(dir / "none", {}, {}).kind, Standing::Kind::nothing);
    std::filesystem::create_symlink(dir / "nowhere", dir / "dangling");
    EXPECT_EQ(look_at_place(dir / "dangling", {}, {}).kind, Standing::Kind::no_file);
    EXPECT_EQ(look_at_place(dir.path(), {}, {}).kind, Standing::Kind::no_file);
}

TEST_F(PlaceOfAFile, IsGivenToNoPickleUnderAHarmlessName) {
    const auto partial = dir / "x.part";
    write_file_atomically(partial,
                          std::string{"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00.", 12});
    const Admission admission{.source = "s", .word = "w"};
    const auto refused = test::error_of(
        [&] { refuse_partial_by_content(partial, dir / "notes.json", admission, {}); });
    EXPECT_EQ(refused.kind(), ErrorKind::template_) << refused.message();
    EXPECT_FALSE(std::filesystem::exists(partial));
}

TEST_F(PlaceOfAFile, IsMadeWithItsFolders) {
    move_into_place(place, dir / "a/b/m.safetensors");
    EXPECT_EQ(read_file(dir / "a/b/m.safetensors"), "weights");
    EXPECT_FALSE(std::filesystem::exists(place));
}

}  // namespace
}  // namespace podctl::download
