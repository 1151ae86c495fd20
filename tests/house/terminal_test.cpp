#include "sources.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cctype>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// What others wrote is made safe where it leaves the program (src/cli/put.hpp), and nowhere else:
// so nothing may leave it elsewhere.
namespace podctl::house {
namespace {

// Comments and the insides of string literals talk of stdout, too.
std::string code_of(std::string line) {
    static const std::regex literal{R"("(\\.|[^"\\])*")"};
    line = std::regex_replace(line, literal, "\"\"");
    return line.substr(0, line.find("//"));
}

bool is_word_character(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// As a whole word. By hand, since a regular expression over every line takes minutes with the
// sanitizers.
bool has_word(std::string_view line, std::string_view word) {
    for (auto at = line.find(word); at != line.npos; at = line.find(word, at + 1)) {
        const auto end = at + word.size();
        const bool begins = at == 0 || !is_word_character(line[at - 1]);
        const bool ends = end == line.size() || !is_word_character(line[end]);
        if (begins && ends) return true;
    }
    return false;
}

using Words = std::vector<std::string_view>;

bool has_one_of(std::string_view line, const Words& words) {
    return std::ranges::any_of(words, [&](auto word) { return has_word(line, word); });
}

// "file:line: code" of each line below `folder` that has one of the words, but in the files
// `allowed`.
std::vector<std::string> lines_with(const Words& words, const std::filesystem::path& folder,
                                    const std::set<std::filesystem::path>& allowed) {
    std::vector<std::string> found;
    visit_lines(folder, [&](const SourceLine& line) {
        if (allowed.contains(line.file) || !has_one_of(line.text, words)) return;
        const auto code = code_of(line.text);
        if (has_one_of(code, words))
            found.push_back(line.file.string() + ":" + std::to_string(line.number) + ": " + code);
    });
    return found;
}

using ::testing::IsEmpty;

TEST(House, OnlyPutWritesToTheTerminal) {
    const Words stdio{"cout", "cerr",  "clog",    "stdout", "stderr",     "printf",    "fprintf",
                      "puts", "fputs", "putchar", "perror", "fmt::print", "std::print"};
    EXPECT_THAT(lines_with(stdio, "src", {"src/cli/put.cpp"}), IsEmpty());
    EXPECT_FALSE(lines_with(stdio, "src", {}).empty());
}

TEST(House, OnlyWhatPodctlComposesGoesRoundTheCleaning) {
    const Words composed{"put_composed", "try_composed"};
    EXPECT_THAT(lines_with(composed, "src",
                           {"src/cli/put.cpp", "src/cli/put.hpp", "src/cli/sinks.cpp",
                            "src/cli/live_sink.cpp", "src/cli/commands/logs_command.cpp",
                            "src/cli/commands/status_command.cpp"}),
                IsEmpty());
}

TEST(House, JsonLinesAreMadeInOnePlace) {
    EXPECT_THAT(lines_with({"dump"}, "src/cli", {"src/cli/put.cpp"}), IsEmpty());
}

// The prompt that `run` prints is ComfyUI's, and no event.
TEST(House, OnlyDescribedEventsAreJsonLines) {
    EXPECT_THAT(lines_with({"put_json", "json_line"}, "src",
                           {"src/cli/put.cpp", "src/cli/put.hpp", "src/cli/events/events.hpp",
                            "src/cli/commands/run_command.cpp"}),
                IsEmpty());
}

}  // namespace
}  // namespace podctl::house
