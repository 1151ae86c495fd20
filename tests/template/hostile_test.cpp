#include "support.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

// Input that was made to crash, hang or eat the memory, and the fuzzer's seeds.
namespace podctl::tmpl::test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string repeated(const std::string& piece, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i)
        text += piece;
    return text;
}

TEST(Hostile, DeepNestingIsRefused) {
    for (const char* piece :
         {"[", "{", "- ", "? ", "{a: ", "[[a]: ", "a:\n ", "&a [", "!!seq [", "[?", "- - "}) {
        EXPECT_THAT(faults_of_text(repeated(piece, 20'000)), Not(IsEmpty())) << piece;
    }
    EXPECT_THAT(faults_of_text("a: " + repeated("[", 100'000) + repeated("]", 100'000)),
                Contains(HasSubstr("nested deeper than 64")));
}

TEST(Hostile, LongInputIsReadInLinearTime) {
    for (const char* piece : {"'", "\"", "a: ", "a ", "*a ", "&a ", "! ", "%x\n", "#", "\n", "|\n",
                              ", ", "<<: ", "---\n", "a:\n", "k: [", "\xC3\xA4", "a: &a b\n"}) {
        EXPECT_THAT(faults_of_text(repeated(piece, 200'000 / std::string(piece).size())),
                    Not(IsEmpty()))
            << piece;
    }
}

TEST(Hostile, OfManyFaultsTheFirstAreTold) {
    const auto faults = faults_of_text("apiVersion: podctl/v1\nname: pod\nmodels:\n" +
                                       repeated("  - {sauce: x}\n", 5'000));
    ASSERT_EQ(faults.size(), 101u);
    EXPECT_THAT(faults.front(), HasSubstr("models[0]"));
    EXPECT_THAT(faults.back(), HasSubstr("more faults, from here on"));
}

TEST(Hostile, AliasBombsAreBounded) {
    std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
    for (char c = 'b'; c <= 'k'; ++c) {
        const char before = static_cast<char>(c - 1);
        bomb += std::string(1, c) + ": &" + c + " [" +
                repeated(std::string("*") + before + ",", 10) + "]\n";
    }
    EXPECT_THAT(faults_of_text(bomb), Contains(HasSubstr("with its aliases expanded")));
    const std::string text_bomb =
        "a: &a " + std::string(500'000, 'x') + "\nb: [" + repeated("*a,", 10'000) + "]\n";
    EXPECT_THAT(faults_of_text(text_bomb), Contains(HasSubstr("with its aliases expanded")));
}

TEST(Hostile, AliasesCanNotNestDeeperThanText) {
    std::string chain = "a0: &a0 [x]\n";
    for (int i = 1; i < 200; ++i) {
        chain += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" +
                 std::to_string(i - 1) + "]\n";
    }
    EXPECT_THAT(faults_of_text(chain), Contains(HasSubstr("nested deeper")));
}

TEST(Hostile, NestedAnchorsCanNotMultiplyTheirContent) {
    std::string text;
    for (int i = 0; i < 60; ++i)
        text += "&a" + std::to_string(i) + " [";
    text += repeated("x,", 50'000) + repeated("]", 60);
    EXPECT_THAT(faults_of_text(text), Contains(HasSubstr("the template is larger than")));
}

TEST(Hostile, ControlCharactersAndBrokenUtf8AreRefusedWithTheirPlace) {
    EXPECT_THAT(faults(std::string("a\0b: 1\n", 7)),
                Contains(HasSubstr("pod.yaml:3:2: control character 0x00")));
    // yaml-cpp takes this one for the end of the file.
    EXPECT_THAT(faults("\x04podd: 1\n"), Contains(HasSubstr("control character 0x04")));
    for (const char* bytes :
         {"\xC3(", "\xFF", "\xC0\x80", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xE2\x82"}) {
        EXPECT_THAT(faults(std::string("x: ") + bytes),
                    Contains(HasSubstr("pod.yaml:3:4: byte 0x")));
    }
    EXPECT_THAT(faults("pod: {command: [\"\\0\"]}\n"),
                Contains(HasSubstr("pod.command[0]: contains a NUL")));
    EXPECT_THAT(faults_of_text("\xFF\xFE"
                               "a\0"),
                Contains(HasSubstr("not UTF-8")));
}

TEST(Hostile, TooLargeATemplateIsRefused) {
    EXPECT_THAT(faults_of_text(std::string((1 << 20) + 1, '#')),
                Contains(HasSubstr("larger than 1 MiB")));
    EXPECT_THAT(faults_of_text("[" + repeated(",a", 200'000) + "]"), Not(IsEmpty()));
}

TEST(Hostile, ManyServicesAreCheckedQuickly) {
    std::string services = "services:\n";
    for (int i = 0; i < 3'000; ++i) {
        services += "- {name: s" + std::to_string(i) + ", command: [x], after: [s" +
                    std::to_string(i + 1) + ", unknown]}\n";
    }
    EXPECT_THAT(faults(services), Contains(HasSubstr("which is no service here")));
}

TEST(Hostile, EveryDiagnosticIsShortPerValue) {
    const auto found = faults("comfyui: {port: " + std::string(100'000, 'x') + "}\n" +
                              std::string(1'000, 'k') + ": 1\n");
    ASSERT_THAT(found, Not(IsEmpty()));
    for (const std::string& line : found)
        EXPECT_LT(line.size(), 600U);
}

TEST(Hostile, SeedsOfTheFuzzerAreReadOrRefused) {
    const std::filesystem::path seeds = PODCTL_SOURCE_DIR "/tests/fuzz/corpus/template";
    int count = 0;
    for (const auto& seed : std::filesystem::directory_iterator(seeds)) {
        std::ifstream file(seed.path(), std::ios::binary);
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        const bool reads = seed.path().stem() == "contract" || seed.path().stem() == "minimal" ||
                           seed.path().stem() == "bom_crlf" || seed.path().stem() == "anchors" ||
                           seed.path().stem() == "block";
        EXPECT_EQ(faults_of_text(text).empty(), reads) << seed.path();
        ++count;
    }
    EXPECT_GT(count, 10);
}

}  // namespace
}  // namespace podctl::tmpl::test
