#include "podctl/base/printable.hpp"
#include "podctl/base/utf8.hpp"

#include "service_pod.hpp"

namespace podctl::e2e {
namespace {

using ::testing::HasSubstr;

bool is_safe(std::string_view text) {
    while (!text.empty()) {
        const auto [c, length, valid] = utf8::decode(text);
        if (!valid || (is_invisible(c) && c != '\n' && c != '\t')) return false;
        text.remove_prefix(length);
    }
    return true;
}

// The clipboard, a screen that is cleared, C1's CSI as a byte, text that is turned.
const std::string hostile =
    "\x1b]52;c;AAAA\x07\x1b[2J\x9B"
    "31m\xE2\x80\xAE";

class HostileText : public ServicePodTest {
protected:
    // A service that prints it, in colour, and ends.
    void SetUp() override {
        write_template(
            "  - {name: talks, restart: never, command: [sh, -c, \"printf "
            "'\\\\033]52;c;AAAA\\\\007\\\\033[2J\\\\033[31mred\\n'\"]}\n");
    }
};

TEST_F(HostileText, OfTheCommandLineIsShown) {
    for (const std::vector<std::string>& arguments :
         {std::vector<std::string>{hostile},
          {"up", "--" + hostile},
          {"validate", hostile + ".yaml"},
          {"get", hostile},
          {"get", "hf:" + hostile, "."},
          {"logs", "--root", root(), hostile},
          {"models", hostile},
          {"init", hostile},
          {"plan", "--set", hostile + "=1", "pod.yaml"}}) {
        const auto said = podctl(arguments);
        EXPECT_FALSE(said.status.ok());
        EXPECT_TRUE(is_safe(said.output)) << said.output;
    }
}

TEST_F(HostileText, OfATemplateIsShown) {
    write_file_atomically(dir / "pod.yaml", "apiVersion: podctl/v1\nname: x\n\"a\\e[2J\\N\": 1\n" +
                                                std::string{"comfyui: {port: \"\\e]0;t\\a\"}\n"});
    for (const auto* command : {"validate", "plan", "config", "up"}) {
        const auto said = podctl({command, "pod.yaml"});
        EXPECT_EQ(said.status.code, 2);
        EXPECT_TRUE(is_safe(said.output)) << said.output;
    }
}

TEST_F(HostileText, OfAServiceIsCleanInUpAndInLogs) {
    const auto said = on_pod({"up", "pod.yaml"});
    EXPECT_TRUE(said.status.ok()) << said.output;
    EXPECT_TRUE(is_safe(said.output)) << said.output;
    EXPECT_THAT(said.output, HasSubstr("talks | \\x1b]52;c;AAAA\\x07\\x1b[2Jred\n"));
    const auto logs = [&](std::vector<std::string> more) {
        more.insert(more.begin(), "logs");
        return on_pod(more).output;
    };
    EXPECT_THAT(logs({"talks"}), HasSubstr("\\x1b]52;c;AAAA\\x07\\x1b[2Jred\n"));
    EXPECT_THAT(logs({"talks", "--color"}),
                HasSubstr("\\x1b]52;c;AAAA\\x07\\x1b[2J\x1b[31mred\x1b[0m\n"));
    EXPECT_THAT(logs({"talks", "--raw"}), HasSubstr("\x1b]52;c;AAAA\x07\x1b[2J\x1b[31mred\n"));
    EXPECT_THAT(logs({"--output", "json"}), HasSubstr("\\u001b]52;c;AAAA\\u0007\\u001b[2J"));
}

}  // namespace
}  // namespace podctl::e2e
