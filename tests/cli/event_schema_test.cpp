#include "events/events.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

namespace podctl::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// PODCTL_WRITE_SCHEMA=1 writes the file instead.
void expect_in_the_docs(const std::string& name, const std::string& text) {
    const auto path = PODCTL_SOURCE_DIR "/docs/" + name;
    if (std::getenv("PODCTL_WRITE_SCHEMA")) std::ofstream(path) << text;
    std::ifstream file(path);
    const std::string there{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(there, text) << "run test_cli with PODCTL_WRITE_SCHEMA=1";
}

TEST(EventSchema, IsTheOneInTheDocs) {
    expect_in_the_docs("events.schema.json", event_schema());
}

TEST(EventSchema, IsTheReferencePageToo) {
    expect_in_the_docs("events.md", event_reference());
}

TEST(EventSchema, HasEachNameOnceAndAMeaningForEachField) {
    std::set<std::string> names;
    for (const auto& [is, fields] : event_shapes()) {
        EXPECT_TRUE(names.insert(is.name).second) << is.name;
        EXPECT_THAT(is.by, Not(IsEmpty())) << is.name;
        std::set<std::string> seen{"time", "event"};
        for (const auto& field : *fields) {
            EXPECT_TRUE(seen.insert(field.name).second) << is.name << ": " << field.name;
            EXPECT_THAT(field.meaning, ::testing::EndsWith(".")) << is.name << ": " << field.name;
        }
    }
    EXPECT_GT(names.size(), 35u);
}

TEST(EventSchema, TellsAFieldThatMayBeMissingFromOneThatMayBeNull) {
    const auto schema = Json::parse(event_schema());
    const auto& exited = schema["$defs"]["service.exited"];
    EXPECT_EQ(exited["required"], Json::array({"time", "event", "service", "step"}));
    EXPECT_EQ(exited["properties"]["code"]["type"], "integer");
    const auto& progress = schema["$defs"]["step.progress"];
    EXPECT_THAT(progress["required"], ::testing::Contains("eta"));
    EXPECT_EQ(progress["properties"]["eta"]["type"], Json::array({"integer", "null"}));
    EXPECT_EQ(progress["properties"]["event"]["const"], "step.progress");
}

TEST(EventSchema, GivesThePageUnitsWordsAndTheFieldsOfObjects) {
    const auto page = event_reference();
    EXPECT_THAT(page, HasSubstr("| `downloaded_bytes` | integer, bytes | What was downloaded; "));
    EXPECT_THAT(page, HasSubstr("| `error.code` | word: `usage`, `template`, "));
    EXPECT_THAT(page, HasSubstr("| `faults[].also` | list of text | "));
    EXPECT_THAT(page, HasSubstr("| `signal` | integer; may be missing | "));
    EXPECT_THAT(page, HasSubstr("| `eta` | integer, seconds; or null | "));
}

}  // namespace
}  // namespace podctl::cli
