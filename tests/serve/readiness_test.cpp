#include "pod_fixture.hpp"
#include "support/http_server.hpp"

#include <atomic>

namespace podctl::serve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

class PodReadiness : public PodTest {};

TEST_F(PodReadiness, ComesWithTheFirstAcceptedConnection) {
    start({listener("web", {"--late", "150"})});
    const auto ready = events_.wait_for<event::ServiceReady>();
    EXPECT_EQ(ready.service, "web");
    EXPECT_THAT(ready.url, HasSubstr("http://127.0.0.1:"));
    EXPECT_GE(ready.took, 150ms);
    EXPECT_EQ(stop().cause, PodEnd::Cause::stopped);
}

TEST_F(PodReadiness, ComesWithAGoodHttpAnswerOnly) {
    auto web = listener("web", {"--http", "204", "--http-failures", "2"});
    web.ready.http_path = "/system_stats";
    start({web});
    events_.wait_for<event::ServiceReady>();
    EXPECT_EQ(stop().cause, PodEnd::Cause::stopped);
}

// A service that answers so took podctl down, and left every other service without it.
TEST_F(PodReadiness, OutlivesAnAnswerWithHeadersBeyondAllLimits) {
    std::promise<void> asked_again;
    std::atomic<int> asked = 0;
    test::HttpServer server([&](const test::Request&) {
        if (++asked == 3) asked_again.set_value();
        return test::Response{.headers = {{"X-Long", std::string(110'000, 'c')}}};
    });
    auto web = stand_in("web");
    web.ready.port = server.port();
    web.ready.http_path = "/";
    start({web, stand_in("innocent")});
    asked_again.get_future().wait();
    EXPECT_EQ(exited().size(), 0u);
    EXPECT_EQ(stop().cause, PodEnd::Cause::stopped);
}

TEST_F(PodReadiness, TakesARedirectForAnAnswer) {
    auto web = listener("web", {"--http", "307"});
    web.ready.http_path = "/";
    start({web});
    EXPECT_EQ(events_.wait_for<event::ServiceReady>().service, "web");
}

TEST_F(PodReadiness, OfAServiceWithoutAPortIsItsStart) {
    start({stand_in("worker")});
    EXPECT_EQ(events_.wait_for<event::ServiceReady>().service, "worker");
}

TEST_F(PodReadiness, StartsWhatComesAfter) {
    auto last = listener("last");
    last.after = {"middle"};
    auto middle = listener("middle", {"--late", "50"});
    middle.after = {"first"};
    start({last, middle, listener("first", {"--late", "50"})});
    events_.wait_for<event::ServiceReady>(3);
    EXPECT_THAT(started(), ElementsAre("first", "middle", "last"));
    EXPECT_EQ(events_.all<event::ServiceReady>()[0].service, "first");
}

TEST_F(PodReadiness, OfAllIsToldOnce) {
    std::atomic<int> told = 0;
    on_ready_ = [&] {
        ++told;
        EXPECT_EQ(events_.all<event::ServiceReady>().size(), 2u);
        stop_.request_stop();
    };
    EXPECT_EQ(run({listener("a"), listener("b", {"--late", "50"})}).cause, PodEnd::Cause::stopped);
    EXPECT_EQ(told, 1);
}

TEST_F(PodReadiness, ThatDoesNotComeFailsThePod) {
    auto web = listener("web", {"--print", "loading a model", "--late", "3600000"});
    web.ready.timeout = 200ms;
    const auto end = run({web});
    EXPECT_EQ(end.cause, PodEnd::Cause::failed);
    EXPECT_THAT(end.message, HasSubstr("service web was not ready within 200ms"));
    EXPECT_THAT(end.message, HasSubstr("127.0.0.1:" + std::to_string(web.ready.port)));
    EXPECT_THAT(end.message, HasSubstr("Connection refused"));
    EXPECT_THAT(end.message, HasSubstr("loading a model"));
    EXPECT_THAT(end.hint, HasSubstr((dir_ / "logs/web.log").string()));
}

TEST_F(PodReadiness, ThatDoesNotComeByHttpNamesTheLastAnswer) {
    auto web = listener("web", {"--http", "500"});
    web.ready.http_path = "/health";
    web.ready.timeout = 500ms;
    EXPECT_THAT(run({web}).message, HasSubstr("/health answered 500"));
}

TEST_F(PodReadiness, OfAServiceThatHangsIsGivenUpInTime) {
    const auto port = free_port();
    auto web = stand_in("web", {"--deaf-on", std::to_string(port)});
    web.ready.port = port;
    web.ready.http_path = "/";
    web.ready.timeout = 300ms;
    const auto started = std::chrono::steady_clock::now();
    EXPECT_THAT(run({web}).message, HasSubstr("was not ready within 300ms"));
    EXPECT_LT(std::chrono::steady_clock::now() - started, 4s);  // a request may take 5 s
}

TEST_F(PodReadiness, IsNotAnnouncedForAPodThatFails) {
    on_ready_ = [] { ADD_FAILURE() << "the pod was never ready"; };
    EXPECT_EQ(run({stand_in("good"), listener("bad", {"--exit", "3"})}).cause,
              PodEnd::Cause::failed);
}

}  // namespace
}  // namespace podctl::serve
