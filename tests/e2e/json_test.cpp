#include "podctl/base/names.hpp"
#include "podctl/base/text.hpp"

#include "service_pod.hpp"

namespace podctl::e2e {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Every command speaks JSON, and nothing but the events of docs/events.md, on stdout.
class JsonTest : public ServicePodTest {
protected:
    // The events of `podctl … --json`.
    std::vector<json> events(std::vector<std::string> arguments) {
        std::vector<std::string> line{"sh", "-c", "exec \"$0\" \"$@\" 2>stderr.txt", PODCTL_BINARY};
        arguments.emplace_back("--json");
        line.insert(line.end(), arguments.begin(), arguments.end());
        const auto end = run_captured({.argv = line, .working_directory = dir.path()}, {});
        status = end.status.code;
        std::vector<json> found;
        for (const auto& text : split(end.output, '\n')) {
            if (text.empty()) continue;
            const auto event = json::parse(text, nullptr, false);
            EXPECT_TRUE(event.is_object()) << text;
            if (!event.is_object()) continue;
            EXPECT_EQ(test::event_fault(event), "") << text;
            found.push_back(event);
        }
        return found;
    }
    std::vector<std::string> names(std::vector<std::string> arguments) {
        std::vector<std::string> found;
        for (const auto& event : events(std::move(arguments)))
            found.push_back(event.value("event", ""));
        return found;
    }

    int status = 0;
};

TEST_F(JsonTest, ValidateTellsEachFaultWithItsPlace) {
    write_file_atomically(dir / "pod.yaml", "apiVersion: podctl/v1\nname: POD\nservices: 3\n");
    const auto told = events({"validate", "pod.yaml"});
    EXPECT_EQ(status, 2);
    ASSERT_THAT(told, SizeIs(3));
    EXPECT_EQ(told[0]["event"], "template.diagnostic");
    EXPECT_EQ(told[0]["grade"], "error");
    EXPECT_EQ(told[0]["file"], "pod.yaml");
    EXPECT_EQ(told[0]["line"], 2);
    EXPECT_EQ(told[0]["column"], 7);
    EXPECT_EQ(told[0]["key"], "name");
    EXPECT_THAT(told[0].value("message", ""), HasSubstr("POD"));
    EXPECT_EQ(told[1]["key"], "services");
    EXPECT_EQ(told[2]["error"]["code"], "template");
    // Whoever else reads the template tells the same.
    EXPECT_THAT(names({"plan", "pod.yaml"}),
                ElementsAre("template.diagnostic", "template.diagnostic", "error"));
}

TEST_F(JsonTest, AValidTemplateAndWhatItComesToAreEventsToo) {
    write_template(service("a", {}));
    const auto valid = events({"validate", "pod.yaml"});
    EXPECT_EQ(status, 0);
    ASSERT_THAT(valid, SizeIs(1));
    EXPECT_EQ(valid[0]["event"], "validate.finished");
    EXPECT_EQ(valid[0]["template"], "pod.yaml");
    const auto config = events({"config", "pod.yaml", "--set", "name=other"});
    ASSERT_THAT(config, SizeIs(1));
    EXPECT_THAT(config[0].value("yaml", ""), HasSubstr("name: other"));
}

TEST_F(JsonTest, TheGalleryAndTheCatalogAreEvents) {
    EXPECT_THAT(names({"templates"}), ::testing::Each("templates.template"));
    EXPECT_THAT(names({"init", "comfyui", "-o", "new.yaml"}), ElementsAre("init"));
    EXPECT_TRUE(std::filesystem::exists(dir / "new.yaml"));
    EXPECT_THAT(names({"models"}), ::testing::Each("models.model"));
    EXPECT_THAT(names({"models", "--yaml", "sd15"}), ElementsAre("models.lines"));
    EXPECT_THAT(names({"models", "xyzzy"}), ElementsAre("error"));
}

TEST_F(JsonTest, WhatOnlyLooksAndWhatEndsAPodAreEvents) {
    write_template(service("a", {}));
    EXPECT_THAT(names({"plan", "pod.yaml", "--root", root()}),
                ::testing::Contains("plan.finished"));
    EXPECT_THAT(names({"doctor", "pod.yaml", "--root", root()}),
                ::testing::Contains("doctor.finished"));
    EXPECT_THAT(names({"status", "--root", root()}), ElementsAre("status"));
    EXPECT_THAT(names({"down", "--root", root()}), ElementsAre("down"));
    EXPECT_THAT(names({"restart", "--root", root()}), ElementsAre("error"));
    EXPECT_THAT(names({"logs", "--root", root()}), ElementsAre("error"));
    std::filesystem::create_directory(dir / "store");
    for (const char* action : {"list", "check", "prune"})
        EXPECT_THAT(names({"store", action, "--store", "store"}), ElementsAre("store.finished"));
    EXPECT_THAT(names({"upp"}), ElementsAre("error"));
}

TEST_F(JsonTest, APodThatRunsTellsItsServicesAndWhatTheyPrint) {
    write_template(listener("a", {"--print", "hello"}));
    auto running = start();
    ASSERT_TRUE(running.wait_for(is_launched));
    const auto status = events({"status", "--root", root()}).at(0);
    EXPECT_EQ(status["phase"], "ready");
    EXPECT_EQ(status["services"][0]["name"], "a");
    EXPECT_THAT(names({"restart", "a", "--root", root()}), ElementsAre("service.restarted"));
    EXPECT_THAT(names({"down", "--root", root()}), ElementsAre("down"));
    EXPECT_FALSE(running.finish().of("log").empty());
    EXPECT_THAT(names({"logs", "--root", root()}), ::testing::Each("log"));
}

}  // namespace
}  // namespace podctl::e2e
