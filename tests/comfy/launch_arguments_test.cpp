#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/comfy/comfy.hpp"

#include "support/error_of.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <set>

namespace podctl::comfy {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

const std::set<std::string> old_flags = {"--listen", "--port",    "--enable-cors-header",
                                         "--cpu",    "--lowvram", "--normalvram"};

tmpl::ComfyUi with_vram(tmpl::Vram vram) {
    tmpl::ComfyUi settings;
    settings.vram = vram;
    return settings;
}

tmpl::ComfyUi with_args(std::vector<std::string> args) {
    tmpl::ComfyUi settings;
    settings.args = std::move(args);
    return settings;
}

TEST(ReadFlags, FindsEveryFlagOfTheParserAndItsGroups) {
    test::TempDir checkout;
    write_file_atomically(checkout / "comfy/cli_args.py",
                          "parser.add_argument(\"--listen\", type=str, help=\"See --nothing\")\n"
                          "vram_group = parser.add_mutually_exclusive_group()\n"
                          "vram_group.add_argument('--lowvram', action=\"store_true\")\n"
                          "parser.add_argument(\n    \"--front-end-version\",\n    type=str)\n"
                          "parser.add_argument(\"-v\", \"--verbose\", default='INFO')\n"
                          "# parser.add_argument(\"--gone\")\n");
    EXPECT_THAT(read_flags(checkout.path()),
                ElementsAre("--front-end-version", "--listen", "--lowvram", "--verbose", "-v"));
}

TEST(ReadFlags, AreEmptyForACheckoutWithoutCliArgs) {
    test::TempDir checkout;
    EXPECT_TRUE(read_flags(checkout.path()).empty());
}

TEST(ReadFlags, SurviveAFileThatEndsInTheMiddle) {
    test::TempDir checkout;
    write_file_atomically(checkout / "comfy/cli_args.py",
                          "parser.add_argument(\"--port\", type=int)\nparser.add_argument(\"--lis");
    EXPECT_THAT(read_flags(checkout.path()), ElementsAre("--port"));
}

TEST(LaunchArguments, GiveListenAndPortAndCors) {
    tmpl::ComfyUi settings;
    settings.cors = "*";
    EXPECT_THAT(launch_arguments(settings, old_flags, Accelerator::present),
                ElementsAre("main.py", "--listen", "0.0.0.0", "--port", "9000",
                            "--enable-cors-header", "*"));
}

TEST(LaunchArguments, RunOnTheCpuWithoutAnAccelerator) {
    EXPECT_THAT(launch_arguments({}, old_flags, Accelerator::none), Contains("--cpu"));
    EXPECT_THAT(launch_arguments({}, old_flags, Accelerator::present), Not(Contains("--cpu")));
}

TEST(LaunchArguments, LeaveOutAMemoryFlagThatTheCheckoutDropped) {
    const auto settings = with_vram(tmpl::Vram::normal);
    EXPECT_THAT(launch_arguments(settings, old_flags, Accelerator::present),
                Contains("--normalvram"));
    EXPECT_THAT(launch_arguments(settings, {"--listen", "--port"}, Accelerator::present),
                Not(Contains("--normalvram")));
}

TEST(LaunchArguments, KeepTheMemoryFlagWhenTheCheckoutsFlagsAreNotKnown) {
    EXPECT_THAT(launch_arguments(with_vram(tmpl::Vram::low), {}, Accelerator::present),
                Contains("--lowvram"));
}

TEST(LaunchArguments, HandOnTheTemplatesOwnLast) {
    const auto settings = with_args({"--reserve-vram", "1.5", "--no-such-flag"});
    const auto arguments = launch_arguments(settings, old_flags, Accelerator::present);
    EXPECT_THAT(std::vector(arguments.end() - 3, arguments.end()),
                ElementsAre("--reserve-vram", "1.5", "--no-such-flag"));
}

TEST(LaunchArguments, NeverHoldTwoFlagsOfTheMemoryGroup) {
    const auto arguments = launch_arguments(with_args({"--lowvram"}), old_flags, Accelerator::none);
    EXPECT_THAT(arguments, Contains("--lowvram"));
    EXPECT_THAT(arguments, Not(Contains("--cpu")));
}

TEST(LocalAddress, TurnsEveryAddressIntoLoopback) {
    EXPECT_EQ(local_address("0.0.0.0"), "127.0.0.1");
    EXPECT_EQ(local_address("::"), "::1");
    EXPECT_EQ(local_address("0.0.0.0,::"), "127.0.0.1");
    EXPECT_EQ(local_address(""), "127.0.0.1");
}

TEST(LocalAddress, KeepsAnAddressOfThisMachine) {
    EXPECT_EQ(local_address("10.0.0.7, 127.0.0.1"), "10.0.0.7");
    EXPECT_EQ(local_address("[::1]"), "::1");
    EXPECT_EQ(local_address("localhost"), "localhost");
}

TEST(LaunchArguments, OfOneThatSharesItsCheckoutKeepWhatIsItsOwnApart) {
    const std::set<std::string> flags{"--temp-directory", "--database-url", "--listen"};
    EXPECT_THAT(
        arguments_of_its_own({}, flags, {.scratch = "/pod"}),
        ElementsAre("--temp-directory", "/pod", "--database-url", "sqlite:////pod/comfyui.db"));
    // What the template says stands, and what the checkout does not know would end it.
    EXPECT_THAT(
        arguments_of_its_own(with_args({"--temp-directory=/t"}), flags, {.scratch = "/pod"}),
        ElementsAre("--database-url", "sqlite:////pod/comfyui.db"));
    EXPECT_TRUE(arguments_of_its_own({}, {"--listen"}, {.scratch = "/pod"}).empty());
}

TEST(LaunchArguments, OfACopyNameWhereItsDataIs) {
    EXPECT_TRUE(can_run_from_copy({"--base-directory"}));
    EXPECT_FALSE(can_run_from_copy({"--listen"}));
    EXPECT_THAT(arguments_of_its_own(
                    with_args({"--extra-model-paths-config", "/t.yaml"}), {"--base-directory"},
                    {.base = "/w/ComfyUI", .extra_model_paths = "/w/ComfyUI/e.yaml"}),
                ElementsAre("--base-directory", "/w/ComfyUI", "--extra-model-paths-config",
                            "/w/ComfyUI/e.yaml"));
}

TEST(LaunchArguments, OfOneWithPacksOfItsOwnNameTheirBaseOrItIsAnError) {
    const OwnFolders own{.base = "/pod/comfyui", .output = "/w/output/host"};
    const std::vector<std::string> both{"--base-directory", "/pod/comfyui", "--output-directory",
                                        "/w/output/host"};
    EXPECT_EQ(arguments_of_its_own({}, {"--base-directory"}, own), both);
    EXPECT_THAT(arguments_of_its_own(with_args({"--base-directory", "/b"}), {}, own),
                ElementsAre("--output-directory", "/w/output/host"));
    EXPECT_EQ(test::error_of([&] { arguments_of_its_own({}, {"--listen"}, own); }).kind(),
              ErrorKind::launch);
}

}  // namespace
}  // namespace podctl::comfy
