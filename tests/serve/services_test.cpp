#include "podctl/serve/services.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "support/error_of.hpp"
#include "support/git_server.hpp"
#include "support/recording_sink.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

// What ComfyUI is started with, on either disk.
namespace podctl::serve {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class ComfyUiService : public testing::Test {
protected:
    ComfyUiService() {
        pod_.comfyui.emplace();
        pod_.comfyui->vram = tmpl::Vram::cpu;
        repository_.write("main.py", "");
        repository_.write("comfy/cli_args.py",
                          "parser.add_argument(\"--base-directory\")\n"
                          "parser.add_argument(\"--cpu\")\n");
        repository_.commit();
    }

    plan::Places places(plan::OwnDisk::Environments where) const {
        return plan::places_of(pod_, dir_ / "root",
                               {.folder = dir_ / "own", .environments = where});
    }
    ServiceSpec spec(plan::OwnDisk::Environments where) {
        return services_of(pod_, places(where), "/python", {}, {}, events_).at(0);
    }
    // Of a start on the container's disk.
    Command prepared() { return spec(plan::OwnDisk::Environments::in_own_folder).prepare({}); }

    tmpl::Template pod_;
    test::TempDir dir_;
    test::GitRepository repository_{dir_ / "root/ComfyUI"};
    test::RecordingSink events_;
    const fs::path checkout_ = dir_ / "root/ComfyUI", copy_ = dir_ / "own/code";
};

TEST_F(ComfyUiService, RunsFromItsCheckoutWhereTheEnvironmentIsOnTheVolume) {
    const auto made = spec(plan::OwnDisk::Environments::on_volume);
    EXPECT_FALSE(made.prepare);
    EXPECT_THAT(made.command.argv, Contains("main.py"));
    EXPECT_THAT(made.command.argv, Not(Contains("--base-directory")));
    EXPECT_FALSE(fs::exists(copy_));
}

TEST_F(ComfyUiService, RunsFromACopyWhereTheEnvironmentIsOnTheContainersDisk) {
    const auto made = prepared();
    const std::vector<std::string> start{"/python", (copy_ / "main.py").string(),
                                         "--base-directory", checkout_.string(), "--listen"};
    EXPECT_EQ(std::vector(made.argv.begin(), made.argv.begin() + 5), start);
    EXPECT_TRUE(fs::is_regular_file(copy_ / "main.py"));
    // Relative paths in the template's arguments are from there, and Manager's git works there.
    EXPECT_EQ(made.working_directory, checkout_);
    EXPECT_EQ(made.environment.at("COMFYUI_PATH"), checkout_);
}

TEST_F(ComfyUiService, ReadsTheModelPathsThatStandBesideItsCheckout) {
    EXPECT_THAT(prepared().argv, Not(Contains("--extra-model-paths-config")));
    write_file_atomically(checkout_ / "extra_model_paths.yaml", "a: {}");
    pod_.comfyui->args = {"--extra-model-paths-config", "more.yaml"};
    const auto argv = prepared().argv;
    const auto own = std::ranges::find(argv, (checkout_ / "extra_model_paths.yaml").string());
    ASSERT_NE(own, argv.end());
    // First, as ComfyUI reads it by itself.
    EXPECT_LT(own, std::ranges::find(argv, std::string{"more.yaml"}));
}

TEST_F(ComfyUiService, HasPacksOfItsOwnBesideACopy) {
    pod_.pod.shared.custom_nodes = false;
    EXPECT_THAT(prepared().argv, Contains((dir_ / "own/comfyui").string()));
    EXPECT_EQ(fs::read_symlink(copy_ / "custom_nodes"), dir_ / "own/comfyui/custom_nodes");
}

TEST_F(ComfyUiService, RunsFromItsCheckoutWhereItKnowsNoBase) {
    repository_.commit_file("comfy/cli_args.py", "parser.add_argument(\"--cpu\")\n");
    EXPECT_THAT(prepared().argv, Contains("main.py"));
    EXPECT_THAT(events_.all<event::Notice>(), IsEmpty());
}

TEST_F(ComfyUiService, SaysWhyItRunsFromItsCheckout) {
    const auto made = spec(plan::OwnDisk::Environments::in_own_folder);
    fs::remove_all(checkout_ / ".git");
    const auto error = test::error_of([&] { made.prepare({}); });
    EXPECT_THAT(error.message(), HasSubstr("ComfyUI runs from " + checkout_.string()));
    EXPECT_THAT(made.command.argv, Contains("main.py"));
    EXPECT_EQ(made.command.working_directory, checkout_);
}

}  // namespace
}  // namespace podctl::serve
