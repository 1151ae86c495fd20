#include "podctl/hub/batch.hpp"

#include "podctl/base/file.hpp"

#include "batch_text.hpp"
#include "support/error_of.hpp"
#include "support/temp_dir.hpp"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

namespace podctl::hub {
namespace {

using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Batch : public testing::Test {
protected:
    std::filesystem::path write(const std::string& name, const std::string& text) {
        write_file_atomically(dir / name, text);
        return dir / name;
    }

    std::vector<std::string> texts(const std::vector<std::string>& arguments,
                                   const std::vector<std::filesystem::path>& files = {}) {
        std::vector<std::string> out;
        for (const auto& entry : expand_sources(arguments, files))
            out.push_back(entry.source.text);
        return out;
    }

    // The origins relative to the test's folder.
    std::vector<std::string> origins(const std::vector<std::filesystem::path>& files) {
        std::vector<std::string> out;
        for (const auto& entry : expand_sources({}, files))
            out.push_back(entry.origin.substr((dir / "").string().size()));
        return out;
    }

    Error failure(const std::vector<std::string>& arguments,
                  const std::vector<std::filesystem::path>& files = {}) {
        return error_of([&] { expand_sources(arguments, files); });
    }

    test::TempDir dir;
};

TEST_F(Batch, TakesWhatAnInputListOfAria2SaysOfAFile) {
    const std::string hex(64, 'a');
    const auto list = write("list.txt",
                            "https://h.example/a\n  dir=ComfyUI/models/vae\n"
                            "\tout = vae.safetensors\n  split=16\n  checksum=sha-256=" +
                                hex +
                                "\nhttps://h.example/b\n  out=loras/x.safetensors\n"
                                "  https://h.example/c?x=1\n");
    const auto entries = expand_sources({}, {list});
    ASSERT_EQ(entries.size(), 3U);
    EXPECT_EQ(entries[0].folder, "ComfyUI/models/vae");
    EXPECT_EQ(entries[0].file, "vae.safetensors");
    EXPECT_EQ(entries[0].sha256, hex);
    EXPECT_EQ(entries[1].file, "loras/x.safetensors");
    EXPECT_EQ(entries[2].source.text, "https://h.example/c?x=1");
    EXPECT_EQ(entries[2].folder, "");
}

TEST_F(Batch, BringsOnePlaceToEachFolderThatAnInputListOfAria2Names) {
    write("other.txt", "https://h.example/x\n");
    const auto list = write("list.txt",
                            "https://h.example/a\n  dir=loras\nhttps://h.example/a\n"
                            "  out=sub/b.bin\n  dir=vae\nhttps://h.example/a\n");
    const auto entries = expand_sources({}, {list});
    ASSERT_EQ(entries.size(), 2U);
    EXPECT_EQ(entries[0].folder, "loras");
    EXPECT_EQ(entries[1].folder, "vae");
    EXPECT_EQ(entries[1].file, "sub/b.bin");
    const auto nested = write("nested.txt", "@other.txt\n  dir=loras\n");
    EXPECT_THAT(failure({}, {nested}).message(), HasSubstr("nested.txt:2: the option dir"));
}

TEST_F(Batch, TellsEachOptionOfAria2ThatWouldNotBeDone) {
    const auto list = write("list.txt",
                            "  dir=x\nhttps://h.example/a\n  header=Authorization: s3cret\n"
                            "  dir=../up\n  out=/etc/x\n  checksum=md5=00\n"
                            "https://h.example/b https://h.example/c\n  out=x\n");
    const auto error = failure({}, {list});
    for (const std::string told :
         {"list.txt:1: the option dir stands below no source",
          "list.txt:3: aria2's option header is not taken", "list.txt:4: dir=../up leads out",
          "list.txt:5: out=/etc/x", "list.txt:6: checksum=md5=00", "list.txt:8: out= names one"})
        EXPECT_THAT(error.message(), HasSubstr(told));
    EXPECT_THAT(error.message(), Not(HasSubstr("s3cret")));
}

TEST(SplitSources, SplitsListsAsCivitdlDoes) {
    EXPECT_THAT(split_sources("1,2, 3 ,,4,"), ElementsAre("1", "2", "3", "4"));
    EXPECT_THAT(split_sources(" https://civitai.com/models/1,2,https://civitai.red/models/3 "),
                ElementsAre("https://civitai.com/models/1", "2", "https://civitai.red/models/3"));
    EXPECT_THAT(split_sources("1,\n2,\nmore.txt"), ElementsAre("1", "2", "more.txt"));
    EXPECT_THAT(split_sources("a.txt,b.txt, @c.txt"), ElementsAre("a.txt", "b.txt", "@c.txt"));
    EXPECT_THAT(split_sources(" , ,"), IsEmpty());
}

TEST(SplitSources, LeavesTheCommasOfAUrl) {
    for (const char* text :
         {"https://host/a,b/x.bin", "https://host/x?size=1,2", "https://host/x?bbox=1,2,3,4#a,b",
          "https://host/@1.5,2.5,7z/x", "hf:o/r/a,b.bin",
          "https://huggingface.co/o/r/resolve/main/a,1", "hf.co/o/r/resolve/main/a,@b",
          "https://host/a,,b", "https://host/a,b.txt"})
        EXPECT_THAT(split_sources(text), ElementsAre(text));
}

TEST(SplitSources, SplitsAUrlWhereAnotherSourceBegins) {
    const std::string hash(64, 'a');
    EXPECT_THAT(
        split_sources("https://h/a,b,hf:o/r/c,d,civitai:1@2,urn:air:x:y:civitai:3," + hash),
        ElementsAre("https://h/a,b", "hf:o/r/c,d", "civitai:1@2", "urn:air:x:y:civitai:3", hash));
    EXPECT_THAT(split_sources("https://h/a,https://h/b,FILE:///c,sdxl:lora:civitai:1@2"),
                ElementsAre("https://h/a", "https://h/b", "FILE:///c", "sdxl:lora:civitai:1@2"));
    EXPECT_THAT(split_sources("https://h/a,civitai.com/models/5,6"),
                ElementsAre("https://h/a", "civitai.com/models/5", "6"));
    EXPECT_THAT(split_sources("https://h/a, 6, list.txt"),
                ElementsAre("https://h/a", "6", "list.txt"));
    // A trailing comma is the list's.
    EXPECT_THAT(split_sources("https://h/a,"), ElementsAre("https://h/a"));
}

TEST(SplitSources, SplitsAtWhiteSpaceOnlyWhereNoSourceCanHoldIt) {
    EXPECT_THAT(split_sources("1 2\thttps://h/a https://h/b"),
                ElementsAre("1", "2", "https://h/a", "https://h/b"));
    EXPECT_THAT(split_sources("hf:o/r/a b/c d.bin"), ElementsAre("hf:o/r/a b/c d.bin"));
    EXPECT_THAT(split_sources("my list.txt"), ElementsAre("my list.txt"));
    EXPECT_THAT(split_sources("-i my list.txt, -i other.txt"),
                ElementsAre("-i my list.txt", "-i other.txt"));
}

TEST(BatchLines, LeaveCommentsAndBlankLinesOut) {
    std::vector<std::string> lines;
    for (const auto& line : batch_lines("\xEF\xBB\xBF# head\r\n\r\n 1 # one\r\nhttps://h/a#b\n"
                                        "\t#x\n2\t#\n3"))
        lines.push_back(fmt::format("{} {}", line.number, line.text));
    EXPECT_THAT(lines, ElementsAre("3 1", "4 https://h/a#b", "6 2", "7 3"));
}

TEST_F(Batch, TellsWhereEachSourceCameFrom) {
    const auto file = write("models.txt", "# mine\n1, 2\n\nhf:o/r/x # three\n");
    EXPECT_THAT(origins({file}), ElementsAre("models.txt:2", "models.txt:2", "models.txt:4"));
    EXPECT_EQ(expand_sources({"5"}, {}).at(0).origin, "");
    EXPECT_THAT(texts({"5", "6,7"}, {file}), ElementsAre("5", "6", "7", "1", "2", "hf:o/r/x"));
}

TEST_F(Batch, ReadsNestedFilesRelativeToTheOneThatNamesThem) {
    std::filesystem::create_directory(dir / "sub");
    write("sub/b.txt", "2\n-i c.txt\n");
    write("sub/c.txt", "3, ../d.txt");
    write("d.txt", "4");
    const auto file = write("a.txt", "1\n@sub/b.txt\n5\n");
    EXPECT_THAT(texts({}, {file}), ElementsAre("1", "2", "3", "4", "5"));
    EXPECT_THAT(origins({file}), testing::Contains("sub/b.txt:1"));
    // A path on the command line is a batch file too, as for civitdl.
    EXPECT_THAT(texts({file.string(), "@" + (dir / "d.txt").string()}),
                ElementsAre("1", "2", "3", "4", "5"));
}

TEST_F(Batch, TakesEachPlaceOnce) {
    const auto file = write("a.txt",
                            "7\nhttps://civitai.com/models/7/slug?token=s3cr3t\n7\n"
                            "https://h/x\nhttps://h/x\nhttps://h/y\n");
    const auto entries = expand_sources({"7"}, {file, file});
    ASSERT_EQ(entries.size(), 3u);
    EXPECT_EQ(entries[0].origin, "");
    EXPECT_EQ(entries[0].source.token_in_query, "s3cr3t");
}

TEST_F(Batch, TellsAllThatIsWrongAtOnce) {
    write("b.txt", "1\nnonsense\n");
    const auto file = write("a.txt", "foo bar\n2\nhf:o\n@b.txt\n@missing.txt\n");
    const auto error = failure({"ftp://h/x"}, {file, dir / "none.txt"});
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_THAT(error.message(), HasSubstr("6 sources are wrong"));
    EXPECT_THAT(error.message(), HasSubstr("  source \"ftp://h/x\": ftp:// is not known"));
    EXPECT_THAT(error.message(), HasSubstr("a.txt:1: source \"foo bar\""));
    EXPECT_THAT(error.message(), HasSubstr("a.txt:3: source \"hf:o\": names no repository"));
    EXPECT_THAT(error.message(), HasSubstr("ORG/REPO[@REV][/PATH])"));
    EXPECT_THAT(error.message(), HasSubstr("b.txt:2: source \"nonsense\""));
    EXPECT_THAT(error.message(), HasSubstr("a.txt:5: batch file"));
    EXPECT_THAT(error.message(), HasSubstr("none.txt\": No such file"));
    EXPECT_THAT(error.hint(), HasSubstr("civitai:MODEL"));
}

TEST_F(Batch, TellsOneWrongLineWithItsOwnHint) {
    const auto error = failure({}, {write("a.txt", "1\nhf:o\n")});
    EXPECT_THAT(error.message(), testing::EndsWith("a.txt:2: source \"hf:o\": names no "
                                                   "repository"));
    EXPECT_THAT(error.hint(), HasSubstr("ORG/REPO"));
}

TEST_F(Batch, RefusesAFileThatNamesItself) {
    write("b.txt", "@c.txt");
    write("c.txt", "\n@./b.txt");
    const auto error = failure({}, {write("a.txt", "@b.txt")});
    EXPECT_THAT(error.message(), HasSubstr("c.txt:2: a batch file that names itself: b.txt → "
                                           "c.txt → b.txt"));
    // One that is named twice, but not by itself, is no cycle.
    write("d.txt", "1");
    EXPECT_THAT(texts({}, {write("e.txt", "@d.txt\n@d.txt")}), ElementsAre("1"));
}

TEST_F(Batch, RefusesFilesTooDeepInOneAnother) {
    for (int i = 0; i < 20; ++i)
        write(fmt::format("{}.txt", i), fmt::format("@{}.txt", i + 1));
    const auto error = failure({}, {dir / "0.txt"});
    EXPECT_THAT(error.message(), HasSubstr("15.txt:1: more than 16 batch files"));
}

TEST_F(Batch, RefusesWhatIsNoText) {
    EXPECT_THAT(failure({}, {write("large.txt", std::string((16u << 20) + 1, '\n'))}).message(),
                HasSubstr("16 MiB"));
    EXPECT_THAT(failure({write("model.bin", std::string("1\0\0", 3)).string()}).message(),
                HasSubstr("binary"));
    EXPECT_THAT(failure({}, {dir.path()}).message(), HasSubstr("directory"));
    EXPECT_THAT(failure({"@"}).message(), HasSubstr("names no file"));
    EXPECT_THAT(failure({}, {write("a.txt", "@-")}).message(), HasSubstr("standard input"));
}

TEST_F(Batch, SaysOnlySoMuchOfAFileOfRubbish) {
    std::string text;
    for (int i = 0; i < 5000; ++i)
        text += fmt::format("rubbish{}\n", i);
    const auto error = failure({}, {write("a.txt", text)});
    EXPECT_THAT(error.message(), HasSubstr("5000 sources are wrong"));
    EXPECT_THAT(error.message(), HasSubstr("4950 more"));
    EXPECT_LT(error.message().size(), 20'000u);
}

TEST_F(Batch, IsQuickWithAnyLine) {
    const std::string long_line = std::string(1 << 20, 'x');
    EXPECT_THAT(failure({long_line}).message(), HasSubstr("no source"));
    std::string words;
    for (int i = 0; i < 200'000; ++i)
        words += "x ";
    EXPECT_EQ(failure({words}).kind(), ErrorKind::usage);
}

TEST_F(Batch, ReadsStandardInput) {
    const auto file = write("stdin.txt", "1\nhf:o/r/x\nrubbish\n");
    const int saved = ::dup(STDIN_FILENO);
    ASSERT_NE(::freopen(file.c_str(), "r", stdin), nullptr);
    const auto error = failure({}, {"-"});
    ::dup2(saved, STDIN_FILENO);
    ::close(saved);
    EXPECT_THAT(error.message(), HasSubstr("standard input:3: source \"rubbish\""));
}

}  // namespace
}  // namespace podctl::hub
