#include "podctl/base/process_stat.hpp"

#include "service_pod.hpp"

#include <unistd.h>

// `podctl up --detach`, from outside.
namespace podctl::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Detached : public ServicePodTest {
protected:
    Finished detach() const { return start({"--detach"}).finish(); }
};

TEST_F(Detached, ReturnsWhenReadyAndThePodGoesOn) {
    write_template(listener("web", {"--late", "100", "--print", "hello"}));
    const auto detached = detach();  // reads to the end: nobody keeps the output open
    EXPECT_EQ(detached.status.code, 0) << detached.output;
    EXPECT_EQ(detached.of("service.ready").size(), 1u);
    const auto now = status();
    EXPECT_EQ(now["phase"], "ready");
    const auto pid = now["pid"].get<pid_t>();
    EXPECT_EQ(::getsid(pid), pid);
    EXPECT_EQ(::getpgid(pid), pid);
    const auto log = on_pod({"logs", "podctl"}).output;
    EXPECT_THAT(log, HasSubstr("web is ready at"));
    EXPECT_THAT(log, Not(HasSubstr("hello")));
    const auto second = detach();
    EXPECT_EQ(second.status.code, 7) << second.output;
    EXPECT_EQ(on_pod({"logs", "podctl"}).output, log);
    EXPECT_EQ(on_pod({"down"}).status.code, 0);
    EXPECT_THAT(on_pod({"logs", "podctl"}).output, HasSubstr("ended by SIGTERM"));
}

TEST_F(Detached, FailsAsUpDoes) {
    write_template(listener("web", {"--print", "no CUDA here", "--exit", "3"}));
    const auto failed = detach();
    EXPECT_EQ(failed.status.code, 5);
    EXPECT_THAT(failed.of("step.failed").at(0)["error"].value("message", ""),
                HasSubstr("no CUDA here"));
    EXPECT_EQ(status()["phase"], "stopped");
    EXPECT_THAT(on_pod({"logs", "podctl"}).output, HasSubstr("no CUDA here"));
    write_template(listener("web"), "pod: {imag: x}\n");
    EXPECT_EQ(detach().status.code, 2);
}

TEST_F(Detached, IsEndedByCtrlCBeforeItIsReady) {
    write_template(listener("slow", {"--late", "3600000"}));
    auto starting = start({"--detach"});
    const auto started = starting.wait_for("service.started");
    ASSERT_TRUE(started);
    starting.signal(SIGINT);
    const auto end = starting.finish();
    EXPECT_EQ(end.status.code, 128 + SIGINT) << end.output;
    EXPECT_FALSE(read_process(started->at("pid").get<pid_t>()));
    EXPECT_EQ(on_pod({"status"}).status.code, 5);
}

TEST_F(Detached, SurvivesTheLossOfItsTerminalBeforeItIsReady) {
    write_template(listener("web", {"--late", "300"}));
    auto starting = start({"--detach"});
    ASSERT_TRUE(starting.wait_for("service.started"));
    starting.signal(SIGHUP);
    EXPECT_TRUE(starting.wait_for(is_launched));
    EXPECT_EQ(starting.finish().status.code, 128 + SIGHUP);
    EXPECT_EQ(on_pod({"status"}).status.code, 0);
}

// As from an SSH session: a terminal, which is then gone with all of its session.
TEST_F(Detached, SurvivesTheEndOfItsSession) {
    if (!find_program("script")) GTEST_SKIP() << "needs script(1)";
    write_template(listener("web"));
    const auto line = std::string{PODCTL_BINARY} + " up pod.yaml --detach --root " + root();
    auto session = command({});
    session.argv = {"script", "-qec", line, "/dev/null"};
    session.environment["TERM"] = "xterm";
    const auto shown = run_captured(session, {});
    EXPECT_EQ(shown.status.code, 0) << shown.output;
    EXPECT_THAT(shown.output, HasSubstr("web is ready at"));
    EXPECT_THAT(shown.output, HasSubstr("goes on in the background"));
    EXPECT_THAT(shown.output, HasSubstr("`podctl status --root " + root()));
    EXPECT_EQ(status()["phase"], "ready");
}

}  // namespace
}  // namespace podctl::e2e
