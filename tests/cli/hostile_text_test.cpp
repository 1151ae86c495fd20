#include "podctl/base/printable.hpp"
#include "podctl/base/utf8.hpp"

#include "junit.hpp"
#include "output.hpp"
#include "terminal.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

// Whatever stands in an event, no terminal, no log and no reader of JUnit obeys it.
namespace podctl::cli {
namespace {

using nlohmann::json;

// A window title, the clipboard, colours by C1 of both kinds, text that is turned, a line that is
// written over, an overlong ESC, and XML's own.
const std::string hostile =
    "\x1b]0;title\x07\x1b]52;c;AAAA\x07\x1b[2J\x1bP+q\x1b\\ \xC2\x9B"
    "31m \x9B"
    "31m \xE2\x80\xAEtxt.exe \rdone \b \x7F \xC0\x9B[2J <&>\"";

std::vector<Event> events_with(const std::string& text) {
    return {
        event::RunStarted{text, text, text},
        event::StepStarted{text},
        event::StepProgress{text, 1, 2, text},
        event::StepSkipped{text, text},
        event::StepSkipped{text, text, event::StepSkipped::Why::not_run},
        event::StepFinished{text},
        event::StepFailed{text, ErrorKind::git, text, text, false},
        event::StepRetrying{text, 2, std::chrono::milliseconds{1}, text},
        event::FileReady{text, text, text, 1},
        event::Notice{text, text},
        event::ServiceStarted{text, 1},
        event::ServiceReady{text, text},
        event::ServiceExited{text, 1, 0},
        event::ServiceRestarting{text, 1, std::chrono::milliseconds{1}, text},
        event::ServiceOutput{text, text},
        event::NodeFailed{text, text},
        event::WorkflowFinished{.step = text,
                                .url = text,
                                .workflow = text,
                                .prompt_id = text,
                                .nodes = {{.id = text, .class_type = text, .title = text}},
                                .outputs = {{.node = text,
                                             .class_type = text,
                                             .file = text,
                                             .url = text,
                                             .path = text,
                                             .type = text,
                                             .text = text,
                                             .format = text}},
                                .faults = {{.node = text,
                                            .class_type = text,
                                            .input = text,
                                            .message = text,
                                            .hint = text,
                                            .details = text,
                                            .also = {text}},
                                           {.message = text}}},
    };
}

bool is_safe(std::string_view text) {
    while (!text.empty()) {
        const auto [c, length, valid] = utf8::decode(text);
        if (!valid || (is_invisible(c) && c != '\n' && c != '\t')) return false;
        text.remove_prefix(length);
    }
    return true;
}

TEST(HostileText, IsNoCommandInALine) {
    for (const auto& event : events_with(hostile)) {
        const auto line = line_of(event, Verbosity::verbose);
        EXPECT_TRUE(is_safe(painted(line, false))) << event.index();
    }
}

TEST(HostileText, IsNoCommandBesideTheColoursOfALine) {
    for (const auto& event : events_with(hostile)) {
        auto text = painted(line_of(event, Verbosity::verbose), true);
        for (const std::string own : {"\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"})
            for (auto at = text.find(own); at != text.npos; at = text.find(own))
                text.erase(at, own.size());
        EXPECT_TRUE(is_safe(text)) << event.index();
    }
}

TEST(HostileText, KeepsOnlyTheColoursOfPrograms) {
    const Event output = event::ServiceOutput{"web", "\x1b[32mok\x1b[0m"};
    EXPECT_EQ(painted(line_of(output, Verbosity::normal), true),
              "web | \x1b[32mok\x1b[0m\x1b[0m\n");
    EXPECT_EQ(painted(line_of(output, Verbosity::normal), false), "web | ok\n");
    const Event notice = event::Notice{"", "\x1b[32mok"};
    EXPECT_EQ(painted(line_of(notice, Verbosity::normal), false), "\\x1b[32mok\n");
}

TEST(HostileText, KeepsItsValueInJsonAndIsNoCommandThere) {
    // What is UTF-8.
    const std::string text =
        "\x1b[2J \xC2\x9B"
        "31m \xE2\x80\xAE \x7F \xF3\xA0\x81\x81";
    for (const auto& event : events_with(text)) {
        const auto line = json_of(event);
        EXPECT_TRUE(is_safe(line)) << line;
        EXPECT_NE(json::parse(line).dump().find(json(text).dump().substr(1, 10)),
                  std::string::npos);
    }
    for (const auto& event : events_with(hostile)) {
        EXPECT_TRUE(is_safe(json_of(event))) << event.index();
    }
    EXPECT_TRUE(is_safe(json_of(Error{ErrorKind::git, hostile, hostile})));
}

TEST(HostileText, IsNoCommandInJUnit) {
    const auto events = events_with(hostile);
    const auto& finished = std::get<event::WorkflowFinished>(events.back());
    const auto xml = junit_xml(finished, std::chrono::milliseconds{1});
    EXPECT_TRUE(is_safe(xml));
    EXPECT_EQ(xml.find("<&"), std::string::npos);
}

}  // namespace
}  // namespace podctl::cli
