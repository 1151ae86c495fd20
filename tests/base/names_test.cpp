#include "podctl/base/names.hpp"

#include "podctl/base/inert_name.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace podctl {
namespace {

using testing::ElementsAre;
using testing::EndsWith;

TEST(SafeFileName, LeavesAnOrdinaryNameAlone) {
    EXPECT_EQ(safe_file_name("ip-adapter (v1.0).safetensors"), "ip-adapter (v1.0).safetensors");
    EXPECT_EQ(safe_file_name("模型.safetensors"), "模型.safetensors");
}

TEST(SafeFileName, CannotLeaveItsFolder) {
    for (const char* name :
         {"../../etc/passwd", "/etc/passwd", "..\\..\\boot.ini", "a/../b", "..", "."}) {
        const std::string safe = safe_file_name(name);
        EXPECT_EQ(safe.find_first_of("/\\"), std::string::npos) << name;
        EXPECT_FALSE(safe.starts_with('.')) << name;
    }
}

TEST(SafeFileName, IsNoHiddenFileAndNoOption) {
    EXPECT_EQ(safe_file_name(".bashrc"), "bashrc");
    EXPECT_EQ(safe_file_name("--force"), "force");
    EXPECT_EQ(safe_file_name(" . -x. . "), "x");
}

TEST(SafeFileName, DropsControlAndBidiCharacters) {
    EXPECT_EQ(safe_file_name("a\x1b[31mb\n\0c.bin"), "a[31mb");  // a C string ends at its NUL
    EXPECT_EQ(safe_file_name(std::string_view{"a\0b\x7f.bin", 9}), "ab.bin");
    EXPECT_EQ(safe_file_name("gpj\u202Eexe.bin"), "gpjexe.bin");
    EXPECT_EQ(safe_file_name("a\u0085\u2028\u200Fb"), "ab");
}

TEST(SafeFileName, ReplacesInvalidUtf8) {
    EXPECT_EQ(safe_file_name("a\xFF.bin"), "a\uFFFD.bin");
    EXPECT_EQ(safe_file_name("a\xC0\xAF.bin"), "a\uFFFD\uFFFD.bin");    // an overlong slash
    EXPECT_EQ(safe_file_name("a\xE6\xA8"), "a\uFFFD\uFFFD");            // cut short
    EXPECT_EQ(safe_file_name("\xED\xA0\x80x"), "\uFFFD\uFFFD\uFFFDx");  // a surrogate
}

TEST(SafeFileName, IsNoDeviceOfWindows) {
    EXPECT_EQ(safe_file_name("CON"), "_CON");
    EXPECT_EQ(safe_file_name("nul.tar.gz"), "_nul.tar.gz");
    EXPECT_EQ(safe_file_name(".aux"), "_aux");
    EXPECT_EQ(safe_file_name("Com1 .safetensors"), "_Com1 .safetensors");
    for (const char* name : {"console.bin", "com0", "com10", "a.nul", "lpt"})
        EXPECT_EQ(safe_file_name(name), name);
}

TEST(SafeFileName, IsEmptyWhenNothingIsLeft) {
    for (const char* name : {"", "...", " ", "-", "\u202E", "\n"})
        EXPECT_EQ(safe_file_name(name), "") << name;
}

TEST(SafeFileName, FitsInto255BytesWithItsExtension) {
    const std::string safe = safe_file_name(std::string(300, 'a') + ".safetensors");
    EXPECT_EQ(safe.size(), 255u);
    EXPECT_THAT(safe, EndsWith("aaa.safetensors"));
}

TEST(SafeFileName, IsNotCutInsideACharacter) {
    std::string name;
    for (int i = 0; i < 100; ++i)
        name += "模";
    const std::string safe = safe_file_name(name + ".bin");
    EXPECT_EQ(safe.size(), 83 * 3 + 4u);
    EXPECT_THAT(safe, EndsWith("模.bin"));
    EXPECT_EQ(safe_file_name(name).size(), 255u);
}

TEST(SafeFileName, CutsAnExtensionThatIsTooLongToBeOne) {
    EXPECT_EQ(safe_file_name("a." + std::string(300, 'b')).size(), 255u);
}

TEST(SafeFileName, OfASafeNameIsTheSameName) {
    for (const char* name : {"../x", "a\xFF", " .b. ", "gpj\u202Eexe"}) {
        const std::string safe = safe_file_name(name);
        EXPECT_EQ(safe_file_name(safe), safe) << name;
    }
}

TEST(Nearest, FindsTheWordThatWasMeant) {
    const std::vector<std::string> keys{"python", "comfyui", "models", "custom_nodes"};
    EXPECT_EQ(nearest("modles", keys), "models");
    EXPECT_EQ(nearest("comfyUI", keys), "comfyui");
    EXPECT_EQ(nearest("custom-nodes", keys), "custom_nodes");
    EXPECT_EQ(nearest("pyhton", keys), "python");
}

TEST(Nearest, FindsNothingForAStrangeWord) {
    const std::vector<std::string> keys{"python", "models"};
    EXPECT_EQ(nearest("kubernetes", keys), std::nullopt);
    EXPECT_EQ(nearest("", keys), std::nullopt);
    EXPECT_EQ(nearest("models", {}), std::nullopt);
}

TEST(Nearest, AllowsAThirdOfTheLetters) {
    const std::vector<std::string> keys{"abcdef"};
    EXPECT_EQ(nearest("abcdxy", keys), "abcdef");
    EXPECT_EQ(nearest("abcxyz", keys), std::nullopt);
}

TEST(Nearest, CountsASwapOfNeighboursOnce) {
    const std::vector<std::string> keys{"ref", "far"};
    EXPECT_EQ(nearest("rfe", keys), "ref");
}

TEST(Names, KnowsPicklesByTheirExtension) {
    for (const char* name : {"a.ckpt", "a.PT", "a.pth", "a.bin", "a.pkl", "a.pt2", "a.pickle",
                             "a.joblib", "a.dill", "a.p", "a.pth.tar", "a.nemo", ".ckpt"})
        EXPECT_TRUE(is_pickle_name(name)) << name;
    for (const char* name : {"a.safetensors", "ckpt", "a.bin.gguf", "", "a.onnx", "a.npy", "p"})
        EXPECT_FALSE(is_pickle_name(name)) << name;
}

TEST(Names, AreSeenThroughWhatHidesAnExtension) {
    for (const char* name : {"a.ckpt.", "a.ckpt ", "a.ckpt . .", "a.ckpt\u200B", "a.pth\u202E",
                             "a.c\u212Apt", "a.P\u212AL", "a.safetensors.pt", "a.pt~"})
        EXPECT_TRUE(is_pickle_name(name)) << name;
}

TEST(Names, TellWhatIsKnownNotToBeInert) {
    EXPECT_EQ(why_name_is_not_inert("a.pt2"), "a pickle");
    EXPECT_EQ(why_name_is_not_inert("__init__.py"), "a program");
    EXPECT_EQ(why_name_is_not_inert("libx.so.1.2"), "a program");
    EXPECT_EQ(why_name_is_not_inert("model.H5"), "a format that can carry code");
    for (const char* name : {"a.safetensors", "a.gguf", "a.onnx", "a.json", "LICENSE", "a.so.txt",
                             "a.sofa", "tokenizer.model", ""})
        EXPECT_EQ(why_name_is_not_inert(name), "") << name;
}

TEST(Text, SplitKeepsEmptyParts) {
    EXPECT_THAT(split("a,,b,", ','), ElementsAre("a", "", "b", ""));
    EXPECT_THAT(split("", ','), ElementsAre(""));
}

TEST(Text, TrimTakesWhiteSpaceOffBothEnds) {
    EXPECT_EQ(trim(" \t a b\r\n"), "a b");
    EXPECT_EQ(trim(" \n"), "");
}

TEST(Text, ToLowerTouchesAsciiOnly) {
    EXPECT_EQ(to_lower("AbZ-Ä"), "abz-Ä");
}

}  // namespace
}  // namespace podctl
