#include "run_test.hpp"

// A ComfyUI, or what is in front of it, that has its moments while a workflow runs.
namespace podctl::comfy {
namespace {

using namespace std::chrono_literals;
using namespace test;
using podctl::test::Request;
using podctl::test::Response;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RunInTrouble : public RunTest {
protected:
    // Hands on what `answer` does not answer itself.
    podctl::test::HttpServer in_front(
        std::function<std::optional<Response>(const Request&)> answer) {
        return podctl::test::HttpServer{[this, answer = std::move(answer)](const Request& request) {
            if (auto own = answer(request)) return *std::move(own);
            http::Client http;
            const auto got = http.send({.url = comfyui_.url() + request.target,
                                        .method = request.method,
                                        .headers = {{"Content-Type", "application/json"}},
                                        .body = request.body});
            return Response{.status = got.status, .body = got.body};
        }};
    }
};

TEST_F(RunInTrouble, AQueueThatCannotBeSeenForAMomentEndsNothing) {
    comfyui_.history_lag = 8;
    std::atomic<int> asked = 0;
    const auto proxy = in_front([&](const Request& request) -> std::optional<Response> {
        if (request.path == "/queue" && asked++ == 0) return Response{.status = 502};
        return std::nullopt;
    });
    target_.url = proxy.url();
    EXPECT_THAT(run().faults, IsEmpty());
    EXPECT_GE(asked, 1);
    EXPECT_THAT(comfyui_.interrupts(), IsEmpty());
}

// Python writes NaN, which is no JSON.
TEST_F(RunInTrouble, AHistoryWithNaNIsOne) {
    const auto proxy = in_front([&](const Request& request) -> std::optional<Response> {
        if (!request.path.starts_with("/history/")) return std::nullopt;
        http::Client http;
        auto body = http.send({.url = comfyui_.url() + request.target}).body;
        const auto at = body.find("\"outputs\":{");
        if (at != body.npos) body.insert(at + 11, "\"9\":{\"score\":[NaN,-Infinity]},");
        return Response{.body = body};
    });
    target_.url = proxy.url();
    request_.timeout = 20s;
    EXPECT_THAT(run().faults, IsEmpty());
}

TEST_F(RunInTrouble, SaysWhetherThePromptWasTakenBack) {
    comfyui_.end = ComfyUi::End::never_comes;
    request_.timeout = 500ms;
    EXPECT_THAT(fault().message, HasSubstr("the time is over"));
    EXPECT_THAT(notices_, Contains("its prompt was taken back"));
    const auto proxy = in_front([&](const Request& request) -> std::optional<Response> {
        if (request.path == "/queue") return Response{.status = 500, .body = "no"};
        return std::nullopt;
    });
    target_.url = proxy.url();
    EXPECT_THAT(fault().message, HasSubstr("the time is over"));
    EXPECT_THAT(notices_, Contains(HasSubstr("could not be taken back")));
}

TEST_F(RunInTrouble, AnIdThatIsNoneIsNotTaken) {
    const auto proxy = in_front([&](const Request& request) -> std::optional<Response> {
        if (request.path != "/prompt") return std::nullopt;
        http::Client http;
        auto answer = json::parse(http.send({.url = comfyui_.url() + request.target,
                                             .method = "POST",
                                             .body = request.body})
                                      .body);
        answer["prompt_id"] = "..";
        return Response{.body = answer.dump()};
    });
    target_.url = proxy.url();
    EXPECT_THAT(run().faults, IsEmpty());
}

TEST_F(RunInTrouble, TheTimeHoldsForWhatIsFetchedToo) {
    const podctl::test::TempDir dir;
    const auto proxy = in_front([&](const Request& request) -> std::optional<Response> {
        if (request.path != "/view") return std::nullopt;
        return Response{.body = podctl::test::png_bytes(8, 8), .stall_after = 10};
    });
    target_.url = proxy.url();
    request_.save_to = dir / "out";
    request_.timeout = 2s;
    EXPECT_THAT(fault().message, HasSubstr("the time was over before it had come"));
}

}  // namespace
}  // namespace podctl::comfy
