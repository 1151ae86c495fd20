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
    EXPECT_EQ(podctl({"upp"}).status.code, 2);
    EXPECT_EQ(podctl({"up", "x.yaml", "--jobs", "0"}).status.code, 2);
    EXPECT_EQ(podctl({"up", "x.yaml", "--connections", "65"}).status.code, 2);
    const auto no_size = podctl({"plan", "x.yaml", "--limit-rate", "quick"});
    EXPECT_EQ(no_size.status.code, 2);
    EXPECT_THAT(no_size.output, HasSubstr("--limit-rate quick: not a size"));
    EXPECT_EQ(podctl({"init", "no-such"}).status.code, 2);
}

TEST(CommandLine, AWordThatNobodyKnowsIsNamedWithTheOneThatIsNear) {
    const std::vector<std::pair<std::vector<std::string>, std::array<const char*, 2>>> cases{
        {{"stpo"}, {"there is no command stpo", "did you mean stop?"}},
        {{"apply", "x.yaml"}, {"there is no command apply", "did you mean up?"}},
        {{"xyzzy"}, {"there is no command xyzzy", "`podctl --help` lists them all"}},
        {{"up", "--detch", "x.yaml"}, {"up: there is no option --detch", "did you mean --detach?"}},
        {{"up", "--root=/x", "--forse"}, {"no option --forse", "did you mean --force?"}},
        {{"--ouptut", "json", "up"}, {"there is no option --ouptut", "did you mean --output?"}},
        {{"up", "a.yaml", "b.yaml"}, {"up: b.yaml is one argument too many", "`podctl up --help`"}},
        {{"up", "x.yaml", "--jobs", "0"}, {"up: --jobs", "1 to 64"}}};
    for (const auto& [words, told] : cases) {
        const auto end = podctl(words);
        EXPECT_EQ(end.status.code, 2) << ::testing::PrintToString(words);
        EXPECT_THAT(end.output, ::testing::AllOf(::testing::StartsWith("podctl: "),
                                                 HasSubstr(told[0]), HasSubstr(told[1])));
    }
}

TEST(CommandLine, AUsageErrorIsJsonWhereThatIsAskedFor) {
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"ups", "--json"}, {"--output", "json", "ups"}, {"up", "--output=json", "--nope"}})
        EXPECT_THAT(podctl(words).output, HasSubstr(R"("event":"error","error":{"code":"usage")"));
    EXPECT_THAT(podctl({"ups"}, {{"PODCTL_OUTPUT", "json"}}).output, HasSubstr("\"event\""));
}

TEST(CommandLine, WordsOfOtherToolsMeanWhatTheyMeanThere) {
    const auto help = podctl({"up", "--help"}).output;
    EXPECT_EQ(podctl({"help", "up"}).output, help);
    EXPECT_EQ(podctl({"help"}).output, podctl({"--help"}).output);
    EXPECT_EQ(podctl({}).output, podctl({"--help"}).output);
    EXPECT_EQ(podctl({}).status.code, 0);
    for (const char* word : {"version", "-V"})
        EXPECT_EQ(podctl({word}).output, podctl({"--version"}).output);
    const test::TempDir dir;
    for (const char* word : {"ps", "status"})
        EXPECT_EQ(podctl({word, "--root", dir.path().string()}).status.code, 5) << word;
    for (const char* word : {"stop", "down"})
        EXPECT_EQ(podctl({word, "--root", dir.path().string()}).status.code, 0) << word;
}

TEST(CommandLine, AnOptionIsAlsoAVariableWhichTheCommandLineWinsOver) {
    const test::TempDir dir;
    const auto root = (dir / "by-variable").string(), other = (dir / "by-word").string();
    EXPECT_THAT(podctl({"status"}, {{"PODCTL_ROOT", root}}).output, HasSubstr(root));
    EXPECT_THAT(podctl({"status", "--root", other}, {{"PODCTL_ROOT", root}}).output,
                HasSubstr(other));
    EXPECT_THAT(podctl({"--root", other, "status"}, {{"PODCTL_ROOT", root}}).output,
                HasSubstr(other));
    const auto wrong = podctl({"up", "x.yaml"}, {{"PODCTL_JOBS", "many"}});
    EXPECT_EQ(wrong.status.code, 2);
    EXPECT_THAT(wrong.output, HasSubstr("many"));
    // Help says it once.
    EXPECT_THAT(podctl({"up", "--help"}).output, Not(HasSubstr("PODCTL_ROOT")));
    EXPECT_THAT(podctl({"--help"}).output, HasSubstr("PODCTL_ROOT"));
}

TEST(CommandLine, TheTemplateMayBeTheOneThatIsHereOrOnStdin) {
    const test::TempDir dir;
    const auto here = [&](std::vector<std::string> words) {
        words.insert(words.begin(), PODCTL_BINARY);
        return run_captured({.argv = std::move(words), .working_directory = dir.path()}, {});
    };
    const auto none = here({"validate"});
    EXPECT_EQ(none.status.code, 2);
    EXPECT_THAT(none.output, HasSubstr("neither podctl.yaml nor pod.yaml is here"));
    write_file_atomically(dir / "pod.yaml", "apiVersion: podctl/v1\nname: second\n");
    EXPECT_THAT(here({"config"}).output, HasSubstr("name: second"));
    write_file_atomically(dir / "podctl.yaml", "apiVersion: podctl/v1\nname: first\n");
    EXPECT_THAT(here({"config"}).output, HasSubstr("name: first"));
    const auto piped = run_captured({.argv = {"/bin/sh", "-c",
                                              "printf 'apiVersion: podctl/v1\\nnmae: x\\n' | " +
                                                  std::string{PODCTL_BINARY} + " validate -"}},
                                    {});
    EXPECT_EQ(piped.status.code, 2);
    EXPECT_THAT(piped.output, HasSubstr("<stdin>:2:1"));
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
