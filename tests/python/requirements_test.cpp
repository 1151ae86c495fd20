#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/python/python.hpp"

#include "marker.hpp"
#include "support/error_of.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace podctl::python {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Requirements : public testing::Test {
protected:
    test::TempDir dir;

    std::filesystem::path file(const std::string& name, const std::string& text) {
        write_file_atomically(dir / name, text);
        return dir / name;
    }
    // "line:name:text" of what a file asks for.
    std::vector<std::string> read(const std::string& text) {
        std::vector<std::string> out;
        for (const auto& line : read_requirements(file("requirements.txt", text))) {
            out.push_back(std::to_string(line.line) + ":" + line.name + ":" + line.text);
        }
        return out;
    }
};

TEST_F(Requirements, AreReadLineByLineWithoutComments) {
    EXPECT_THAT(read("# all\nPyYAML>=5 # why\n\n  torch_sde \r\nscipy"),
                ElementsAre("2:pyyaml:PyYAML>=5", "4:torch-sde:torch_sde", "5:scipy:scipy"));
}

TEST_F(Requirements, OfTheTemplateMayBeAFileUrlOfNothing) {
    for (const char* line : {"file:#egg=x", "file:", "x @ file:#y"}) {
        const auto lines = read_requirements(RequirementSource{.file = {}, .lines = {line}});
        EXPECT_THAT(lines, testing::SizeIs(1)) << line;
    }
}

TEST_F(Requirements, GoOnAfterABackslashAndCountFromTheirFirstLine) {
    EXPECT_THAT(read("numpy>=1,\\\n  <2\nnext"),
                ElementsAre("1:numpy:numpy>=1,  <2", "3:next:next"));
    EXPECT_THAT(read("a # ends \\\nb"), ElementsAre("1:a:a"));
    EXPECT_THAT(read("# comment \\\nb"), ElementsAre("2:b:b"));
}

TEST_F(Requirements, MayHaveExtrasMarkersParenthesesAndUrls) {
    EXPECT_THAT(
        read("uvicorn[standard] >= 0.2 ; python_version>='3.8'\nfoo (>=1,<2)\n"
             "clip @ git+https://host/clip.git@main#egg=x"),
        ElementsAre("1:uvicorn:uvicorn[standard] >= 0.2 ; python_version>='3.8'",
                    "2:foo:foo (>=1,<2)", "3:clip:clip @ git+https://host/clip.git@main#egg=x"));
}

TEST_F(Requirements, MayBeWrittenInAllTheWaysOfPep508) {
    EXPECT_THAT(
        read("a@https://host/a-1.0.zip\nb [x, y] ~= 1.0\nc>=1;python_version<\"3.9\"\n"
             "d @ git+ssh://git@host/d.git@v1#subdirectory=sub ; os_name == 'posix'\n"
             "e===1.0+local\nf>=1, !=1.5.*\n-e git+https://host/g.git#egg=G_g\n"
             "h==2 --global-option=\"x y\"\nI.j"),
        ElementsAre("1:a:a@https://host/a-1.0.zip", "2:b:b [x, y] ~= 1.0",
                    "3:c:c>=1;python_version<\"3.9\"",
                    "4:d:d @ git+ssh://git@host/d.git@v1#subdirectory=sub ; os_name == 'posix'",
                    "5:e:e===1.0+local", "6:f:f>=1, !=1.5.*",
                    "7:g-g:-e git+https://host/g.git#egg=G_g", "8:h:h==2", "9:i-j:I.j"));
}

TEST_F(Requirements, WithoutANameTakeItFromTheAddressWhereItIsSaid) {
    EXPECT_THAT(read("git+https://host/a.git#egg=Segment_Anything\nhttps://host/b.git\n"
                     "./my_pkg-1.0-py3-none-any.whl\n-e .[dev]"),
                ElementsAre("1:segment-anything:git+https://host/a.git#egg=Segment_Anything",
                            "2::https://host/b.git", "3:my-pkg:./my_pkg-1.0-py3-none-any.whl",
                            "4::-e .[dev]"));
}

TEST_F(Requirements, LeaveOptionsAndHashesOut) {
    EXPECT_THAT(read("--extra-index-url https://host/simple\n-f ./wheels\n--pre\n"
                     "a==1 --hash=sha256:00 \\\n  --hash=sha256:11"),
                ElementsAre("4:a:a==1"));
}

TEST_F(Requirements, FollowIncludesAndTellConstraintsApart) {
    file("more/b.txt", "b>=2\n-r ../requirements.txt\n");
    file("c.txt", "c<3\n");
    const auto lines = read_requirements(file("requirements.txt", "a\n-r more/b.txt\n-c c.txt\n"));
    ASSERT_EQ(lines.size(), 3U);  // the cycle is read once
    EXPECT_EQ(lines[1].file, dir / "more/b.txt");
    EXPECT_FALSE(lines[1].constraint);
    EXPECT_TRUE(lines[2].constraint);
}

TEST_F(Requirements, AreReadInTheEncodingsThatEditorsLeave) {
    EXPECT_THAT(read("\xEF\xBB\xBFnumpy\n"), ElementsAre("1:numpy:numpy"));
    EXPECT_THAT(read(std::string{"\xFF\xFEn\0p\0\n\0", 8}), ElementsAre("1:np:np"));
    EXPECT_THAT(read(std::string{"\xFE\xFF\0n\0p", 6}), ElementsAre("1:np:np"));
    EXPECT_THAT(read("numpy # caf\xE9\n"), ElementsAre("1:numpy:numpy"));
}

TEST_F(Requirements, ThatCannotBeReadAreNamedWithFileAndLine) {
    for (const std::string bad : {"foo bar", "foo=1", "foo==x.y", "foo[x", ">=2", "foo>=1 <2",
                                  "--unknown x", "-r gone.txt", "-r", "foo @ "}) {
        try {
            read("ok\n" + bad + "\n");
            ADD_FAILURE() << bad << " was taken";
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::python) << bad;
            EXPECT_THAT(error.message(), HasSubstr("requirements.txt:2: ")) << bad;
        }
    }
}

TEST_F(Requirements, OfABinaryFileAreRefused) {
    EXPECT_THROW(read(std::string{"a\0b", 3}), Error);
    EXPECT_THROW(read_requirements(dir / "nothing.txt"), Error);
}

// A stranger's pack in a folder of its own, beside a file that is none of its business.
class PackRequirements : public Requirements {
protected:
    std::vector<RequirementLine> read_pack(const std::string& text) {
        file("pack/requirements.txt", text);
        return read_requirements(source());
    }
    RequirementSource source() const {
        return {.file = dir / "pack/requirements.txt", .label = "node x", .inside = dir / "pack"};
    }
    std::filesystem::path secret = file("secret/shadow", "root:*:20228:0\n");
};

TEST_F(PackRequirements, MayNameWhatLiesInThePack) {
    file("pack/more/b.txt", "b\n-r ../c.txt\n");
    file("pack/c.txt", "c\n");
    EXPECT_EQ(read_pack("a\n-r more/b.txt\n-e ./local\n./wheels/d-1-py3-none-any.whl\n"
                        "-f wheels\n-f https://host/wheels\ngit+https://host/e.git\n")
                  .size(),
              6u);
}

TEST_F(PackRequirements, NameNothingElsewhereAndDoNotSayWhatIsThere) {
    const auto absolute = secret.string();
    for (const std::string& line : std::vector<std::string>{
             "-r ../secret/shadow", "-c ../secret/shadow", "-r " + absolute, "-r" + absolute,
             "--requirement=" + absolute, std::string{"-r ../secret/nothing"},
             std::string{"-e ../secret"}, "-f " + absolute, "./../secret/x-1-py3-none-any.whl",
             "x @ file://" + absolute, "file:" + absolute + ".zip",
             "-e git+file://" + absolute + "#egg=x", "x @ file:///%2e%2e/etc/x.zip"}) {
        const auto error = test::error_of([&] { read_pack("ok\n" + line + "\n"); });
        EXPECT_EQ(error.kind(), ErrorKind::python) << line;
        EXPECT_THAT(error.message(), HasSubstr("pack/requirements.txt:2: leads out of node x"));
        EXPECT_THAT(error.message(), Not(HasSubstr("root:"))) << line;
    }
}

TEST_F(PackRequirements, AreNoLinksOutOfThePack) {
    file("pack/readme", "");
    std::filesystem::create_symlink(secret, dir / "pack/requirements.txt");
    const auto link = test::error_of([&] { read_requirements(source()); });
    EXPECT_THAT(link.message(), HasSubstr("a link to a file elsewhere"));
    EXPECT_THAT(link.message(), Not(HasSubstr("root:")));
    std::filesystem::remove(dir / "pack/requirements.txt");
    std::filesystem::create_symlink(secret, dir / "pack/link.txt");
    std::filesystem::create_directory_symlink(dir / "secret", dir / "pack/folder");
    for (const auto* line : {"-r link.txt", "-r folder/shadow"})
        EXPECT_THAT(test::error_of([&] { read_pack(line); }).message(),
                    AllOf(HasSubstr("leads out of node x"), Not(HasSubstr("root:"))));
}

TEST_F(PackRequirements, OfAPackThatIsALinkItselfAreRead) {
    file("there/requirements.txt", "a\n-r b.txt\n");
    file("there/b.txt", "b\n");
    std::filesystem::create_directory_symlink(dir / "there", dir / "pack");
    EXPECT_EQ(read_requirements(source()).size(), 2u);
}

// The template's own files may include others, which may be a stranger's words.
TEST_F(Requirements, QuoteOnlyWhatStandsBesideTheFileThatWasNamed) {
    file("secret/shadow", "root:*:20228:0\n");
    file("mine/more.txt", "not a requirement\n");
    const auto own =
        test::error_of([&] { read_requirements(file("mine/requirements.txt", "-r more.txt\n")); });
    EXPECT_THAT(own.message(), HasSubstr("more.txt:1: no requirement: not a requirement"));
    const auto other = test::error_of(
        [&] { read_requirements(file("mine/requirements.txt", "-r ../secret/shadow\n")); });
    EXPECT_THAT(other.message(), AllOf(HasSubstr("shadow:1: "), Not(HasSubstr("root:"))));
    // A line of the template itself stands beside no file.
    const auto line = test::error_of([&] {
        read_requirements(RequirementSource{
            .file = {}, .lines = {"-r " + (dir / "secret/shadow").string()}, .label = "it"});
    });
    EXPECT_THAT(line.message(), AllOf(HasSubstr("shadow:1: "), Not(HasSubstr("root:"))));
}

TEST(Names, AreNormalisedAsPep503Says) {
    EXPECT_EQ(normalise_name("Foo.Bar__baz-Qux"), "foo-bar-baz-qux");
}

TEST(Markers, OfThisMachineHoldAndOthersDoNot) {
    EXPECT_TRUE(marker_may_hold(""));
    EXPECT_TRUE(marker_may_hold("sys_platform == 'linux' and python_version < '3.12'"));
    EXPECT_FALSE(marker_may_hold("sys_platform == \"darwin\""));
    EXPECT_FALSE(marker_may_hold("sys_platform=='win32' or (platform_system == 'Darwin')"));
    EXPECT_FALSE(marker_may_hold("'linux' not in sys_platform"));
    EXPECT_TRUE(marker_may_hold("((( not a marker"));
    EXPECT_TRUE(marker_may_hold("python_version == '3.11' and extra == 'x'", "3.11.7"));
    EXPECT_TRUE(marker_may_hold("'3.9' <= python_version", "3.11.7"));
    EXPECT_TRUE(marker_may_hold("python_full_version > '3.11.2'", "3.11.7"));
    EXPECT_FALSE(marker_may_hold("sys_platform == 'linux' and python_version == '3.10'", "3.11.7"));
    EXPECT_FALSE(marker_may_hold("python_version < '3.9'", "3.11.7"));
}

std::vector<std::string> excluded(const std::vector<std::string>& asked, Gpu gpu) {
    std::vector<RequirementLine> lines;
    for (const auto& text : asked) {
        const auto end = text.find_first_of(" ;=");
        lines.push_back({.file = {}, .line = 1, .name = text.substr(0, end), .text = text});
    }
    return duplicates_to_exclude(lines, gpu);
}

TEST(Duplicates, KeepTheBestOpencvThatIsAskedFor) {
    EXPECT_THAT(
        excluded({"opencv-python", "opencv-python-headless"}, Gpu::present),
        ElementsAre("opencv-contrib-python-headless", "opencv-contrib-python", "opencv-python"));
    EXPECT_THAT(
        excluded({"opencv-contrib-python", "opencv-python-headless"}, Gpu::present),
        ElementsAre("opencv-contrib-python-headless", "opencv-python-headless", "opencv-python"));
    EXPECT_THAT(excluded({"numpy"}, Gpu::present), IsEmpty());
}

TEST(Duplicates, KeepTheOnnxruntimeThatFitsTheMachine) {
    EXPECT_THAT(excluded({"onnxruntime", "onnxruntime-gpu"}, Gpu::present),
                ElementsAre("onnxruntime"));
    EXPECT_THAT(excluded({"onnxruntime", "onnxruntime-gpu"}, Gpu::none),
                ElementsAre("onnxruntime-gpu"));
    EXPECT_THAT(excluded({"onnxruntime-gpu"}, Gpu::none), ElementsAre("onnxruntime"));
    EXPECT_THAT(excluded({"onnxruntime"}, Gpu::present), IsEmpty());
}

TEST(Duplicates, CountOnlyLinesWhoseMarkerHolds) {
    EXPECT_THAT(excluded({"onnxruntime; sys_platform == 'darwin'",
                          "onnxruntime-gpu; sys_platform != 'darwin'"},
                         Gpu::none),
                ElementsAre("onnxruntime"));
}

TEST(Duplicates, LeaveOutTheUnrelatedComfy) {
    EXPECT_THAT(excluded({"comfy"}, Gpu::none), ElementsAre("comfy"));
}

}  // namespace
}  // namespace podctl::python
