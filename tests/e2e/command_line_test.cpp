#include "podctl/base/file.hpp"
#include "podctl/base/process.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

namespace podctl::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Captured podctl(std::vector<std::string> arguments,
                const std::map<std::string, std::string>& environment = {}) {
    arguments.insert(arguments.begin(), PODCTL_BINARY);
    return run_captured({.argv = std::move(arguments), .environment = environment}, {});
}

TEST(CommandLine, HelpOfEveryCommandHasAnExample) {
    for (const char* command :
         {"up", "plan", "doctor", "get", "smoke", "validate", "config", "schema", "init",
          "templates", "status", "logs", "restart", "down", "models", "completion"}) {
        const auto help = podctl({command, "--help"});
        EXPECT_EQ(help.status.code, 0);
        EXPECT_THAT(help.output, HasSubstr(std::string{"podctl "} + command)) << command;
        EXPECT_THAT(help.output, HasSubstr("Example")) << command;
    }
}

TEST(CommandLine, WhatItDoesNotKnowIsAUsageError) {
    EXPECT_EQ(podctl({}).status.code, 2);
    EXPECT_EQ(podctl({"upp"}).status.code, 2);
    EXPECT_EQ(podctl({"up"}).status.code, 2);
    EXPECT_EQ(podctl({"up", "x.yaml", "--jobs", "0"}).status.code, 2);
    EXPECT_EQ(podctl({"up", "x.yaml", "--connections", "65"}).status.code, 2);
    const auto no_size = podctl({"plan", "x.yaml", "--limit-rate", "quick"});
    EXPECT_EQ(no_size.status.code, 2);
    EXPECT_THAT(no_size.output, HasSubstr("--limit-rate quick: not a size"));
    EXPECT_EQ(podctl({"init", "no-such"}).status.code, 2);
}

TEST(CommandLine, EveryTemplateOfTheGalleryIsValid) {
    const test::TempDir dir;
    for (const char* name : {"ik-comfy-instance", "comfyui", "fooocus", "quickstart"}) {
        const auto text = podctl({"init", name, "-o", "-"});
        ASSERT_EQ(text.status.code, 0) << name;
        write_file_atomically(dir / "pod.yaml", text.output);
        const auto checked = podctl({"validate", (dir / "pod.yaml").string()});
        EXPECT_EQ(checked.status.code, 0) << name << ": " << checked.output;
    }
    EXPECT_THAT(podctl({"templates"}).output, HasSubstr("ik-comfy-instance"));
}

TEST(CommandLine, AllThatIsWrongWithATemplateIsToldAtOnceWithItsPlace) {
    const test::TempDir dir;
    write_file_atomically(
        dir / "pod.yaml",
        "apiVersion: podctl/v1\nname: pod\ncomfyui: {prot: 9000}\n"
        "models: [{source: \"nonsense nonsense\", to: vae}]\npython: {torch: cu999x}\n");
    const auto checked = podctl({"validate", (dir / "pod.yaml").string()});
    EXPECT_EQ(checked.status.code, 2);
    EXPECT_THAT(checked.output, HasSubstr("pod.yaml:3:"));
    EXPECT_THAT(checked.output, HasSubstr("port"));
    EXPECT_THAT(checked.output, HasSubstr("pod.yaml:5:"));
}

TEST(CommandLine, InitDoesNotOverwrite) {
    const test::TempDir dir;
    const auto file = (dir / "pod.yaml").string();
    EXPECT_EQ(podctl({"init", "comfyui", "-o", file}).status.code, 0);
    write_file_atomically(file, "mine");
    EXPECT_EQ(podctl({"init", "comfyui", "-o", file}).status.code, 2);
    EXPECT_EQ(read_file(file), "mine");
}

TEST(CommandLine, ASourceThatIsNoneIsToldWithItsPlace) {
    const test::TempDir dir;
    write_file_atomically(dir / "pod.yaml",
                          "apiVersion: podctl/v1\nname: pod\ncomfyui: {}\nmodels:\n"
                          "  - {source: \"ftp://example.com/x\", to: vae}\n");
    const auto checked = podctl({"validate", (dir / "pod.yaml").string()});
    EXPECT_EQ(checked.status.code, 2);
    EXPECT_THAT(checked.output, HasSubstr("pod.yaml:5:14: models[0].source"));
}

TEST(CommandLine, AHostThatNobodyCanAskIsToldWithItsPlace) {
    const test::TempDir dir;
    write_file_atomically(dir / "pod.yaml",
                          "apiVersion: podctl/v1\nname: pod\ncomfyui: {}\nmodels:\n"
                          "  - {source: \"http://a~b/x.safetensors\", to: vae}\n"
                          "  - {source: \"https://exam%70le.com/y.safetensors\", to: vae}\n");
    const auto checked = podctl({"validate", (dir / "pod.yaml").string()});
    EXPECT_EQ(checked.status.code, 2);
    EXPECT_THAT(checked.output, HasSubstr("pod.yaml:5:14: models[0].source"));
    EXPECT_THAT(checked.output, HasSubstr("pod.yaml:6:14: models[1].source"));
    const auto got = podctl({"get", "http://a~b/x.safetensors", dir.path().string()});
    EXPECT_EQ(got.status.code, 2) << got.output;
}

TEST(CommandLine, ATemplateWithoutAnEndIsToldSo) {
    const test::TempDir dir;
    ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
    for (const std::string& file : {std::string{"/dev/zero"}, (dir / "pipe").string()}) {
        const auto checked = podctl({"validate", file});
        EXPECT_EQ(checked.status.code, 2) << checked.output;
        EXPECT_THAT(checked.output, HasSubstr(file));
    }
    EXPECT_NE(podctl({"get", "-i", "/dev/zero", dir.path().string()}).status.code, 0);
    EXPECT_NE(podctl({"get", "-i", (dir / "pipe").string(), dir.path().string()}).status.code, 0);
}

// An option that may be repeated takes one value, not all that follow.
TEST(CommandLine, RepeatableOptionsMayStandBeforeWhatACommandIsGiven) {
    const test::TempDir dir;
    write_file_atomically(dir / "pod.yaml", "apiVersion: podctl/v1\nname: pod\n");
    write_file_atomically(dir / "batch.txt", "file://" + (dir / "pod.yaml").string() + "\n");
    const auto folder = (dir / "to").string();
    const auto got = podctl({"get", "--mirror", "https://a.example/=https://b.example/", "-i",
                             (dir / "batch.txt").string(), folder});
    EXPECT_EQ(got.status.code, 0) << got.output;
    EXPECT_TRUE(std::filesystem::exists(dir / "to" / "pod.yaml"));
    const auto config = podctl({"config", "--set", "name=other", (dir / "pod.yaml").string()});
    EXPECT_THAT(config.output, HasSubstr("other"));
}

TEST(CommandLine, OutputThatCannotBeWrittenIsAFailure) {
    const auto full =
        run_captured({.argv = {"sh", "-c", "\"$0\" schema > /dev/full", PODCTL_BINARY}}, {});
    EXPECT_EQ(full.status.code, 4) << full.output;
}

// A reader of events who lost some must not take the rest for all.
TEST(CommandLine, EventsThatCannotBeWrittenAreAFailure) {
    const test::TempDir dir;
    write_file_atomically(dir / "pod.yaml", "apiVersion: podctl/v1\nname: pod\n");
    const auto up = [&](const std::string& out) {
        return run_captured(
            {.argv = {"sh", "-c",
                      "\"$0\" up --no-launch --output json \"$1\" --root \"$2\" > " + out,
                      PODCTL_BINARY, (dir / "pod.yaml").string(), (dir / "root").string()}},
            {});
    };
    EXPECT_EQ(up("/dev/null").status.code, 0);
    const auto full = up("/dev/full");
    EXPECT_EQ(full.status.code, 4);
    EXPECT_THAT(full.output, HasSubstr("cannot write to stdout"));
}

// Else podctl could not open what it has made.
TEST(CommandLine, AUmaskTakesNoRightsFromTheOwner) {
    const test::TempDir dir;
    write_file_atomically(dir / "pod.yaml", "apiVersion: podctl/v1\nname: pod\n");
    const auto up = run_captured(
        {.argv = {"sh", "-c", "umask 0777; exec \"$0\" up --no-launch \"$1\" --root \"$2\"",
                  PODCTL_BINARY, (dir / "pod.yaml").string(), (dir / "root").string()}},
        {});
    EXPECT_EQ(up.status.code, 0) << up.output;
    for (const char* folder : {"root", "root/.podctl"})
        EXPECT_EQ(std::filesystem::status(dir / folder).permissions(),
                  std::filesystem::perms::owner_all)
            << folder;
}

TEST(CommandLine, ATemplateThatIsNotThereIsNamed) {
    const auto checked = podctl({"validate", "/nonexistent/pod.yaml"});
    EXPECT_EQ(checked.status.code, 2);
    EXPECT_THAT(checked.output, HasSubstr("/nonexistent/pod.yaml"));
}

TEST(CommandLine, TheSchemaInTheTreeIsTheBinarys) {
    const auto schema = podctl({"schema"});
    EXPECT_EQ(schema.output,
              read_file(std::string{PODCTL_SOURCE_DIR} + "/templates/podctl.schema.json"));
    EXPECT_EQ(podctl({"schema", "--format", "json"}).output, schema.output);
}

TEST(CommandLine, ThePageOfKeysInTheTreeIsTheBinarys) {
    const auto page = podctl({"schema", "--format", "markdown"});
    EXPECT_EQ(page.output, read_file(std::string{PODCTL_SOURCE_DIR} + "/docs/template.md"));
    EXPECT_EQ(podctl({"schema", "--format", "html"}).status.code, 2);
}

TEST(CommandLine, ConfigPrintsTheEffectiveTemplate) {
    const test::TempDir dir;
    write_file_atomically(dir / "pod.yaml",
                          "apiVersion: podctl/v1\nname: pod\ncomfyui: {port: \"${PORT}\"}\n");
    const auto printed = podctl(
        {"config", (dir / "pod.yaml").string(), "--set", "comfyui.cors='*'"}, {{"PORT", "9123"}});
    EXPECT_EQ(printed.status.code, 0) << printed.output;
    EXPECT_THAT(printed.output, HasSubstr("9123"));
    EXPECT_THAT(printed.output, HasSubstr("cors"));
}

}  // namespace
}  // namespace podctl::e2e
