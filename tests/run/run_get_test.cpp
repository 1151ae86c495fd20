#include "podctl/base/file.hpp"
#include "podctl/run/get.hpp"

#include "support/http_server.hpp"
#include "support/hub.hpp"
#include "support/recording_sink.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <map>
#include <string>
#include <vector>

namespace podctl::run {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

// Files of a plain server, and a hub without any.
class RunGet : public testing::Test {
protected:
    RunGet() { request.mirrors = Mirrors{hub.mirrors()}; }

    test::Response answer(const test::Request& asked) const {
        const auto file = files.find(asked.path);
        if (file == files.end()) return {.status = 404};
        return test::serve_bytes(asked, file->second);
    }
    void ask_for(const std::string& source, const std::string& folder = "out") {
        request.entries.push_back({.source = hub::parse_source(source), .folder = dir / folder});
    }
    GetResult get() { return run::get(request, events, stop.get_token()); }

    template <class Told>
    std::vector<std::string> steps_of() const {
        std::vector<std::string> steps;
        for (const auto& event : events.all<Told>())
            steps.push_back(event.step);
        return steps;
    }

    test::TempDir dir;
    const std::map<std::string, std::string> files{{"/a.dat", test::safetensors_bytes(2'000, 1)},
                                                   {"/b.dat", test::safetensors_bytes(1'000, 2)}};
    test::HttpServer server{[this](const test::Request& asked) { return answer(asked); }};
    test::Hub hub;
    test::RecordingSink events;
    std::stop_source stop;
    GetRequest request;
};

TEST_F(RunGet, IsAStepOfItsOwnForEachFile) {
    ask_for(server.url("/a.dat"));
    ask_for(server.url("/b.dat"));
    // The query is no part of a step's name, and two names must not be one step.
    ask_for(server.url("/a.dat?token=x"), "more");
    const auto result = get();
    EXPECT_EQ(result.failure, std::nullopt);
    EXPECT_EQ(result.downloaded_bytes, 2 * files.at("/a.dat").size() + files.at("/b.dat").size());
    const std::vector<std::string> ids{server.url("/a.dat"), server.url("/b.dat"),
                                       server.url("/a.dat") + " (2)"};
    EXPECT_THAT(steps_of<event::StepStarted>(), testing::UnorderedElementsAreArray(ids));
    EXPECT_THAT(steps_of<event::FileReady>(), testing::UnorderedElementsAreArray(ids));
    EXPECT_EQ(read_file(dir / "out/b.dat"), files.at("/b.dat"));
    EXPECT_EQ(read_file(dir / "more/a.dat"), files.at("/a.dat"));
}

TEST_F(RunGet, GoesOnAfterAFailureAndTellsWhichCameFirst) {
    ask_for("hf:o/none");  // a folder: it is listed before the first file begins
    ask_for(server.url("/a.dat"));
    request.common.sha256 = std::string(64, '0');
    ask_for(server.url("/missing.dat"));
    const auto result = get();
    const auto failed = events.all<event::StepFailed>();
    ASSERT_THAT(failed, SizeIs(3));
    EXPECT_EQ(failed.front().step, "hf:o/none");
    EXPECT_NE(failed.front().kind, ErrorKind::integrity);
    EXPECT_EQ(result.failure, failed.front().kind);
    EXPECT_THAT(steps_of<event::StepStarted>(),
                UnorderedElementsAre(server.url("/a.dat"), server.url("/missing.dat")));
    EXPECT_THAT(steps_of<event::FileReady>(), IsEmpty());
}

TEST_F(RunGet, BeginsNoFileBeforeItsTurnNorAfterAStop) {
    request.pause = 1h;
    ask_for(server.url("/a.dat"));
    ask_for(server.url("/b.dat"));
    events.on_event = [this](const Event& event) {
        if (std::holds_alternative<event::FileReady>(event)) stop.request_stop();
    };
    EXPECT_EQ(get().failure, ErrorKind::interrupted);
    EXPECT_THAT(steps_of<event::StepStarted>(), ElementsAre(server.url("/a.dat")));
    EXPECT_THAT(steps_of<event::FileReady>(), ElementsAre(server.url("/a.dat")));
    EXPECT_THAT(events.all<event::StepFailed>(), IsEmpty());
}

}  // namespace
}  // namespace podctl::run
