#include "podctl/base/process_stat.hpp"

#include "service_pod.hpp"

#include <unistd.h>

namespace podctl::e2e {
namespace {

using ::testing::HasSubstr;

class Supervision : public ServicePodTest {};

TEST_F(Supervision, EndsThePodOnEverySignalThatAsksForIt) {
    write_template(listener("web"));
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
        auto pod = start();
        ASSERT_TRUE(pod.wait_for(is_launched));
        const auto pid = status()["services"][0]["pid"].get<pid_t>();
        pod.signal(signal);
        EXPECT_EQ(pod.finish().status.code, 128 + signal);
        EXPECT_FALSE(read_process(pid));
    }
}

// Their services would go on without anybody who looks after them.
TEST_F(Supervision, OutlivesSignalsThatMeanNothingToIt) {
    write_template(listener("web"));
    auto pod = start();
    ASSERT_TRUE(pod.wait_for(is_launched));
    for (const int signal : {SIGPIPE, SIGXFSZ, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM})
        pod.signal(signal);
    EXPECT_EQ(status()["phase"], "ready");
    pod.signal(SIGTERM);
    EXPECT_EQ(pod.finish().status.code, 128 + SIGTERM);
}

// An image's PYTHONDONTWRITEBYTECODE is about the image's layers.
TEST_F(Supervision, ServicesKeepWhatPythonCompilesUnlessTheTemplateSaysOtherwise) {
    const std::string tells =
        "  - {name: a, command: [sh, -c, 'echo \"compiled: [$PYTHONDONTWRITEBYTECODE]\"'], "
        "restart: never}\n";
    const auto said = [&] {
        auto made = command(up());
        made.environment = {{"PYTHONDONTWRITEBYTECODE", "1"}};
        Running{made}.finish();
        return on_pod({"logs", "a"}).output;
    };
    write_template(tells);
    EXPECT_THAT(said(), HasSubstr("compiled: []"));
    write_template(tells, "pod: {image: i, env: {PYTHONDONTWRITEBYTECODE: \"1\"}}\n");
    EXPECT_THAT(said(), HasSubstr("compiled: [1]"));
}

TEST_F(Supervision, ASecondSignalKillsAtOnce) {
    write_template(listener("stubborn", {"--ignore-term", "1"}));
    auto pod = start();
    ASSERT_TRUE(pod.wait_for(is_launched));
    const auto started = std::chrono::steady_clock::now();
    pod.signal(SIGTERM);
    EXPECT_EQ(status()["phase"], "ending");
    pod.signal(SIGTERM);
    const auto end = pod.finish();
    EXPECT_EQ(end.status.code, 128 + SIGTERM);
    EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds{9});  // the grace
    EXPECT_EQ(end.of("service.exited").at(0).value("signal", 0), SIGKILL);
}

TEST_F(Supervision, APortThatIsTakenIsFoundBeforeAnyServiceIsStarted) {
    const test::HttpServer other{[](const auto&) { return test::Response{}; }};
    const auto port = std::to_string(other.port());
    write_template(listener("first") +
                   service("web", {"--port", port}, "after: [first], port: " + port));
    const auto end = start().finish();
    EXPECT_EQ(end.status.code, 3) << end.output;
    EXPECT_THAT(end.of("step.failed").at(0)["error"].value("message", ""), HasSubstr(port));
    EXPECT_TRUE(end.of("service.started").empty());
}

TEST_F(Supervision, AServiceThatFailsForGoodEndsThePodWith5AndItsLastLines) {
    write_template(listener("good") + listener("bad", {"--lines", "50", "--exit", "3"}));
    const auto end = start().finish();
    EXPECT_EQ(end.status.code, 5);
    const auto message = end.of("step.failed").at(0)["error"].value("message", "");
    EXPECT_THAT(message, HasSubstr("service bad ended with exit code 3 before it was ready"));
    EXPECT_THAT(message, HasSubstr("line 49"));
    EXPECT_EQ(end.of("run.finished").at(0).value("exit_code", 0), 5);
}

TEST_F(Supervision, TheNextUpEndsWhatAKilledPodctlHasLeft) {
    write_template(listener("web"));
    auto killed = start();
    ASSERT_TRUE(killed.wait_for(is_launched));
    const auto first = status()["services"][0]["pid"].get<pid_t>();
    killed.kill();
    auto next = start();
    const auto started = next.wait_for("service.started");
    ASSERT_TRUE(started);
    EXPECT_FALSE(read_process(first));  // by then, never two of them
    ASSERT_TRUE(next.wait_for(is_launched));
    next.signal(SIGTERM);
    EXPECT_EQ(next.finish().status.code, 128 + SIGTERM);
}

// However podctl dies, and whatever the service has made of its environment.
TEST_F(Supervision, TheNextUpEndsAServiceThatHasCleanedItsEnvironment) {
    const auto on = std::to_string(free_port());
    write_template(
        fmt::format("  - {{name: web, port: {}, command: [env, -i, \"{}\", --port, \"{}\"]}}\n", on,
                    PODCTL_STAND_IN_SERVICE, on));
    for (const int signal : {SIGKILL, SIGABRT, SIGSEGV}) {
        auto killed = start();
        ASSERT_TRUE(killed.wait_for(is_launched)) << killed.finish().output;
        const auto first = status()["services"][0]["pid"].get<pid_t>();
        killed.signal(signal);
        killed.wait_for("run.finished");  // the end of its output
        ASSERT_TRUE(read_process(first));
        auto next = start();
        ASSERT_TRUE(next.wait_for(is_launched)) << next.finish().output;
        EXPECT_FALSE(read_process(first));
        next.signal(SIGTERM);
        EXPECT_EQ(next.finish().status.code, 128 + SIGTERM);
    }
}

// On a volume that others may write, somebody else tells of "services" that are none.
class ForgedRecord : public Pid1Test {
protected:
    // A process that has nothing to do with podctl, in a namespace of its own, whose pod.json
    // names that one ("victim") or a number and belongs to `owner`; then `podctl down`. What that
    // and the shell say.
    std::string down_with(const std::string& pid, const std::string& owner) const {
        constexpr auto script = R"sh(
mkdir -m 700 -p root "$4"
setsid sleep 1000 & victim=$!
[ "$1" = victim ] && pid=$victim || pid=$1
field() { sed 's/.*) //' "/proc/$pid/stat" | cut -d ' ' -f "$1"; }
boot=$(cat /proc/sys/kernel/random/boot_id)
printf '{"podctl": {"pid": 999999, "start_time": 1}, "boot": "%s", "services": [{"name": "a",
"pid": %s, "start_time": %s, "session": %s, "port": 0, "url": "", "state": "ready", "starts": 1,
"started": 0}]}' "$boot" "$pid" "$(field 20)" "$(field 4)" > "$4/pod.json"
chown "$2" "$4/pod.json" || exit 1
"$3" down --root root
kill -0 $victim && echo the victim is alive
kill -KILL $victim
)sh";
        return run_captured(in_namespace({"bash", "-c", script, "bash", pid, owner, PODCTL_BINARY,
                                          own_folder(dir / "root").string()}),
                            {})
            .output;
    }
};

TEST_F(ForgedRecord, OfAnotherUserIsIgnoredAndSaidSo) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root may give a file away";
    for (const auto* pid : {"victim", "1"}) {
        const auto said = down_with(pid, "65534");
        EXPECT_THAT(said,
                    HasSubstr("pod.json belongs to nobody (uid 65534), so it is not trusted"));
        EXPECT_THAT(said, HasSubstr("the victim is alive"));
    }
}

// 1 would mean kill(-1): everybody.
TEST_F(ForgedRecord, NeverLeadsToAnInit) {
    EXPECT_THAT(down_with("1", std::to_string(::geteuid())), HasSubstr("the victim is alive"));
}

class AsPid1 : public Pid1Test {};

TEST_F(AsPid1, ReapsOrphansAndIsEndedFromOutside) {
    write_template(listener("web", {"--orphan", (dir / "orphan").string()}));
    auto pod = start_as_pid_1();
    ASSERT_TRUE(pod.wait_for(is_launched));
    const auto init = children_of(pod.pid()).at(0);
    // The service, and its orphan, a zombie until it is reaped.
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (children_of(init).size() > 1 && std::chrono::steady_clock::now() < until) {
    }
    EXPECT_EQ(children_of(init).size(), 1u);
    ::kill(init, SIGTERM);
    const auto end = pod.finish();
    EXPECT_EQ(end.status.code, 128 + SIGTERM) << end.output;
    EXPECT_EQ(end.of("service.exited").at(0).value("signal", 0), SIGTERM);
}

TEST_F(AsPid1, KeepsTheStatusOfItsServices) {
    write_template(
        service("task", {"--orphan", (dir / "orphan").string(), "--exit", "3"}, "restart: never"));
    const auto end = start_as_pid_1().finish();
    EXPECT_EQ(end.status.code, 5) << end.output;
    EXPECT_EQ(end.of("service.exited").at(0).value("code", 0), 3);
}

TEST_F(AsPid1, IsEndedByDownThroughItsSocket) {
    write_template(listener("web"));
    auto pod = start_as_pid_1();
    ASSERT_TRUE(pod.wait_for(is_launched));
    EXPECT_EQ(on_pod({"status"}).status.code, 0);
    EXPECT_EQ(on_pod({"down"}).status.code, 0);
    EXPECT_EQ(pod.finish().status.code, 128 + SIGTERM);
}

TEST_F(AsPid1, CannotDetach) {
    write_template(listener("web"));
    const auto end = start_as_pid_1({"--detach"}).finish();
    EXPECT_EQ(end.status.code, 2);
    EXPECT_THAT(end.output, HasSubstr("leave --detach out"));
}

// ComfyUI-Manager, which has installed something at ComfyUI's start, asks for another start.
class ManagersReboot : public PodTest {};

TEST_F(ManagersReboot, AtTheStartIsFollowed) {
    publish_pack("manager", R"(
import os
marker = os.environ['__COMFY_CLI_SESSION__'] + '.reboot'
once = os.path.join(os.path.dirname(__file__), 'installed')
if not os.path.exists(once):
    open(once, 'w').close()
    open(marker, 'w').close()
    os._exit(0)
NODE_CLASS_MAPPINGS = {}
)");
    write_template("custom_nodes: [https://github.com/comfyanonymous/manager.git]\n");
    auto pod = start("up");
    EXPECT_TRUE(pod.wait_for("service.ready"));
    pod.signal(SIGTERM);
    const auto end = pod.finish();
    EXPECT_EQ(end.status.code, 128 + SIGTERM) << end.output;
    EXPECT_EQ(end.of("service.started").size(), 2u);
    EXPECT_THAT(end.of("service.restarting").at(0).value("reason", ""), HasSubstr("asked for"));
}

}  // namespace
}  // namespace podctl::e2e
