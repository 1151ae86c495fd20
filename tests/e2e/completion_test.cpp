#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <filesystem>

// The scripts in the shells that they are for.
namespace podctl::e2e {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

Captured run(std::vector<std::string> argv, const std::filesystem::path& folder = {}) {
    return run_captured({.argv = std::move(argv), .working_directory = folder}, {});
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (const auto& line : split(text, '\n'))
        if (!line.empty()) lines.push_back(line);
    return lines;
}

class Completion : public ::testing::Test {
protected:
    Completion() {
        for (const char* file : {"pod.yaml", "other.yml", "model.bin"})
            write_file_atomically(dir_ / file, "");
        std::filesystem::create_directory(dir_ / "models");
    }

    // What bash offers for the last word.
    std::vector<std::string> bash(const std::vector<std::string>& words) const {
        std::vector<std::string> argv{
            "bash", "-c",
            "source <(\"$0\" completion bash) && complete -p podctl >/dev/null || exit 1\n"
            "COMP_WORDS=(podctl \"$@\") COMP_CWORD=$#\n_podctl\nprintf '%s\\n' \"${COMPREPLY[@]}\"",
            PODCTL_BINARY};
        argv.insert(argv.end(), words.begin(), words.end());
        const auto shown = run(std::move(argv), dir_.path());
        EXPECT_EQ(shown.status.code, 0) << shown.output;
        return lines_of(shown.output);
    }

    std::filesystem::path script(const std::string& shell) const {
        const auto printed = run({PODCTL_BINARY, "completion", shell});
        EXPECT_EQ(printed.status.code, 0);
        write_file_atomically(dir_ / "script", printed.output);
        return dir_ / "script";
    }

    test::TempDir dir_;
};

TEST_F(Completion, OfBashOffersCommandsAndOptions) {
    EXPECT_THAT(bash({""}), AllOf(Contains("up"), Contains("models"), Contains("completion"),
                                  Not(Contains("man")), Not(Contains("--version"))));
    EXPECT_THAT(bash({"do"}), ElementsAre("doctor", "down"));
    EXPECT_THAT(bash({"-"}), Contains("--version"));
    EXPECT_THAT(bash({"up", "--no-l"}), ElementsAre("--no-launch"));
    EXPECT_THAT(bash({"up", "pod.yaml", "--not-there"}), IsEmpty());
    EXPECT_THAT(bash({"schema", "--j"}), IsEmpty());
}

TEST_F(Completion, OfBashOffersTheValuesOfAnOption) {
    EXPECT_THAT(bash({"plan", "--output", ""}), ElementsAre("text", "json"));
    EXPECT_THAT(bash({"plan", "--output", "=", "j"}), ElementsAre("json"));
    EXPECT_THAT(bash({"plan", "--output", "="}), ElementsAre("text", "json"));
    EXPECT_THAT(bash({"get", "--layout", ""}), Contains("civitdl"));
    EXPECT_THAT(bash({"up", "--root", ""}), ElementsAre("models"));
    EXPECT_THAT(bash({"up", "-f", "o"}), ElementsAre("other.yml"));
    EXPECT_THAT(bash({"up", "--jobs", ""}), IsEmpty());
    EXPECT_THAT(bash({"models", "--yaml", "instant"}), ElementsAre("instantid-sdxl"));
}

TEST_F(Completion, OfBashOffersWhatACommandIsGiven) {
    EXPECT_THAT(bash({"up", ""}), UnorderedElementsAre("models", "other.yml", "pod.yaml"));
    EXPECT_THAT(bash({"up", "--force", "p"}), ElementsAre("pod.yaml"));
    EXPECT_THAT(bash({"get", "m"}), UnorderedElementsAre("model.bin", "models"));
    EXPECT_THAT(bash({"init", "quick"}), ElementsAre("quickstart"));
    EXPECT_THAT(bash({"models", "text"}), ElementsAre("text-to-image", "text+image"));
    EXPECT_THAT(bash({"models", "instant"}), ElementsAre("instantid-sdxl"));
    EXPECT_THAT(bash({"completion", ""}), ElementsAre("bash", "zsh", "fish"));
}

TEST_F(Completion, OfZshIsTakenByItsCompletionSystem) {
    if (!find_program("zsh")) GTEST_SKIP() << "no zsh here";
    const auto file = script("zsh").string();
    const auto checked = run({"zsh", "-n", file});
    EXPECT_EQ(checked.status.code, 0) << checked.output;
    const auto loaded = run(
        {"zsh", "-f", "-c",
         "autoload -U compinit && compinit -D -u && source \"$0\" && print $_comps[podctl]", file});
    EXPECT_EQ(loaded.output, "_podctl\n");
}

TEST_F(Completion, OfFishOffersCommandsOptionsAndValues) {
    if (!find_program("fish")) GTEST_SKIP() << "no fish here";
    const auto file = script("fish").string();
    const auto checked = run({"fish", "-n", file});
    EXPECT_EQ(checked.status.code, 0) << checked.output;
    const auto fish = [&](const std::string& line) {
        return run({"fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", file,
                    line},
                   dir_.path())
            .output;
    };
    EXPECT_THAT(fish("podctl do"), AllOf(HasSubstr("doctor\tlook"), HasSubstr("down\tend")));
    EXPECT_THAT(fish("podctl up --no-l"), HasSubstr("--no-launch\tstop after"));
    EXPECT_THAT(fish("podctl plan --output "),
                AllOf(HasSubstr("text"), HasSubstr("json"), Not(HasSubstr("pod.yaml"))));
    EXPECT_THAT(fish("podctl up p"), HasSubstr("pod.yaml"));
    EXPECT_THAT(fish("podctl completion "), Not(HasSubstr("pod.yaml")));
}

TEST_F(Completion, OfAnotherShellIsAUsageError) {
    const auto refused = run({PODCTL_BINARY, "completion", "tcsh"});
    EXPECT_EQ(refused.status.code, 2);
    EXPECT_THAT(refused.output, HasSubstr("bash"));
}

TEST(ManPage, HasEveryCommandAndIsRead) {
    const auto page = run({PODCTL_BINARY, "man"});
    ASSERT_EQ(page.status.code, 0);
    EXPECT_THAT(page.output, AllOf(HasSubstr(".TH PODCTL 1"), HasSubstr("podctl up [OPTIONS]"),
                                   HasSubstr("podctl models"), HasSubstr("EXIT STATUS"),
                                   Not(HasSubstr(".SS \"podctl man"))));
    if (!find_program("mandoc")) GTEST_SKIP() << "no mandoc here";
    const test::TempDir dir;
    write_file_atomically(dir / "podctl.1", page.output);
    const auto checked = run({"mandoc", "-T", "lint", "-W", "error", (dir / "podctl.1").string()});
    EXPECT_EQ(checked.status.code, 0) << checked.output;
}

}  // namespace
}  // namespace podctl::e2e
