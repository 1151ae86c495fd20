#include "launch_files.hpp"

#include "podctl/base/file.hpp"
#include "podctl/template/load.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

plan::Plan plan_of(const std::string& models) {
    const auto pod = tmpl::parse_template(
        "apiVersion: podctl/v1\nname: pod\ncomfyui: {}\nmodels: " + models, "pod.yaml",
        {.environment = [](const std::string&) { return std::optional<std::string>{}; }});
    return plan::build_plan(pod, plan::places_of(pod, "/w"), {});
}

TEST(LaunchFiles, AreTheModelsThatTheWorkflowNamesHoweverItIsWritten) {
    const auto plan = plan_of(
        "[{source: \"hf:o/r/a.safetensors\", to: vae}, {source: \"hf:o/r/b.safetensors\", to: "
        "loras}, {source: \"hf:o/r/c.safetensors\", to: vae}]");
    const fs::path models = "/w/ComfyUI/models";
    EXPECT_THAT(models_named_in(R"({"3": {"inputs": {"vae_name": "a.safetensors"}}})", plan),
                ElementsAre(models / "vae/a.safetensors"));
    EXPECT_THAT(models_named_in(R"({"nodes": [{"widgets_values": ["sdxl\\b.safetensors", 1, null]},
                                      {"widgets_values": {"x": "d/c.safetensors"}}]})",
                                plan),
                UnorderedElementsAre(models / "loras/b.safetensors", models / "vae/c.safetensors"));
    EXPECT_THAT(models_named_in("[\"a.safetensors.bak\", \"aa.safetensors\"]", plan), IsEmpty());
    EXPECT_THAT(models_named_in("no JSON: a.safetensors", plan), IsEmpty());
}

TEST(LaunchFiles, OfTorchAreItsSharedLibraries) {
    const test::TempDir dir;
    for (const auto* file : {"torch/lib/libtorch_cpu.so", "torch/lib/libgomp-98b.so.1",
                             "torch/lib/readme", "torch/x.so"})
        write_file_atomically(dir / "site" / file, "x");
    python::Interpreter base;
    base.site_packages = {(dir / "none").string(), (dir / "site").string()};
    EXPECT_THAT(libraries_of_torch(base),
                UnorderedElementsAre(dir / "site/torch/lib/libtorch_cpu.so",
                                     dir / "site/torch/lib/libgomp-98b.so.1"));
}

}  // namespace
}  // namespace podctl::run
