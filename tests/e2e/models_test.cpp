#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace podctl::e2e {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Captured podctl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), PODCTL_BINARY);
    return run_captured({.argv = std::move(arguments)}, {});
}

std::vector<json> events(const std::vector<std::string>& arguments) {
    std::vector<json> found;
    for (const auto& line : split(podctl(arguments).output, '\n'))
        if (!line.empty()) found.push_back(json::parse(line));
    return found;
}

const std::string head = "apiVersion: podctl/v1\nname: pod\ncomfyui: {}\n";

TEST(Models, AreListedByTask) {
    const auto all = podctl({"models"});
    EXPECT_EQ(all.status.code, 0);
    EXPECT_THAT(all.output, AllOf(HasSubstr("text-to-image: "), HasSubstr("image-to-image: "),
                                  HasSubstr("text+image: "), HasSubstr("instantid-sdxl"),
                                  HasSubstr("4.6 GB"), HasSubstr("DALL·E 3")));
}

TEST(Models, OfATaskAreToldWithTheirFiles) {
    const auto task = podctl({"models", "text+image"});
    EXPECT_EQ(task.status.code, 0);
    EXPECT_THAT(
        task.output,
        AllOf(HasSubstr("models/instantid/ip-adapter.bin"), HasSubstr("1.7 GB, a pickle"),
              HasSubstr("sha256 02b3618e36d803784166660520098089a81388e61a93ef8002aa79a5b1c546e1"),
              HasSubstr("models/insightface/models/ (unpacked)"), HasSubstr("non-commercial"),
              HasSubstr("ComfyUI_InstantID"), HasSubstr("core inpainting nodes"),
              Not(HasSubstr("instruct-pix2pix"))));
    EXPECT_THAT(podctl({"models", "dall-e-3"}).output,
                AllOf(HasSubstr("API only"), HasSubstr("none"), Not(HasSubstr("sdxl"))));
}

TEST(Models, ThatAreNotKnownAreUsageErrors) {
    const auto task = podctl({"models", "text-to-imge"});
    EXPECT_EQ(task.status.code, 2);
    EXPECT_THAT(task.output, HasSubstr("did you mean text-to-image?"));
    const auto name = podctl({"models", "--yaml", "instantid-sdlx"});
    EXPECT_EQ(name.status.code, 2);
    EXPECT_THAT(name.output, HasSubstr("did you mean instantid-sdxl?"));
    EXPECT_EQ(podctl({"models", "text-to-image", "--yaml", "sdxl"}).status.code, 2);
}

TEST(Models, AreJsonLinesForScripts) {
    const auto all = events({"models", "--output", "json"});
    EXPECT_GE(all.size(), 15u);
    const auto task = events({"models", "segmentation", "--output", "json"});
    ASSERT_EQ(task.size(), 1u);
    EXPECT_EQ(task[0]["event"], "models.model");
    EXPECT_EQ(task[0]["name"], "sam-vit-b");
    EXPECT_EQ(task[0]["bytes"], 375042383);
    EXPECT_EQ(task[0]["files"][0]["pickle"], true);
    EXPECT_EQ(task[0]["files"][0]["name"], nullptr);
    EXPECT_TRUE(task[0]["tasks"].contains("segmentation"));
}

TEST(Models, HaveLinesThatATemplateTakes) {
    const test::TempDir dir;
    const auto pod = (dir / "pod.yaml").string();
    for (const auto& model : events({"models", "--output", "json"})) {
        const std::string name = model["name"];
        const auto lines = podctl({"models", "--yaml", name});
        EXPECT_EQ(lines.status.code, 0) << name;
        EXPECT_EQ(lines.output.find("\nmodels:\n") != std::string::npos, !model["files"].empty());
        write_file_atomically(pod, head + lines.output);
        const auto checked = podctl({"validate", pod});
        EXPECT_EQ(checked.status.code, 0) << checked.output;
    }
}

TEST(Models, OfTheCatalogAreExpandedAndTheirPacksAskedFor) {
    const test::TempDir dir;
    const auto pod = (dir / "pod.yaml").string();
    write_file_atomically(pod, head + "models: [{catalog: instantid-sdxl, optional: true}]\n");
    const auto checked = podctl({"validate", pod});
    EXPECT_EQ(checked.status.code, 0) << checked.output;
    EXPECT_THAT(checked.output, AllOf(HasSubstr("pod.yaml:4:20: models[0]: instantid-sdxl"),
                                      HasSubstr("ComfyUI_InstantID.git"), HasSubstr(": valid")));
    EXPECT_THAT(podctl({"validate", "-q", pod}).output, "");
    EXPECT_THAT(podctl({"config", pod}).output,
                AllOf(HasSubstr("    to: controlnet/instantid\n"), HasSubstr("optional: true"),
                      Not(HasSubstr("catalog"))));
}

// The template's own items are counted, not what they stand for.
TEST(Models, BehindAnEntryOfTheCatalogKeepTheirNumber) {
    const test::TempDir dir;
    const auto pod = (dir / "pod.yaml").string();
    write_file_atomically(
        pod,
        head + "models: [{catalog: instantid-sdxl}, {source: 'ftp://h.example/x', to: vae}]\n");
    const auto checked = podctl({"validate", pod});
    EXPECT_EQ(checked.status.code, 2);
    EXPECT_THAT(checked.output, HasSubstr("models[1].source"));
}

}  // namespace
}  // namespace podctl::e2e
