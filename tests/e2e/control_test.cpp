#include "podctl/base/process_stat.hpp"

#include "service_pod.hpp"
#include "support/http_server.hpp"
#include "support/set_env.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <future>

namespace podctl::e2e {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class PodCommands : public ServicePodTest {};

TEST_F(PodCommands, StatusTellsOfTheServicesAndDownEndsThem) {
    write_template(listener("web") + service("worker", {}, "after: [web]"));
    auto pod = start();
    ASSERT_TRUE(pod.wait_for(is_launched));
    const auto text = on_pod({"status"});
    EXPECT_EQ(text.status.code, 0) << text.output;
    EXPECT_THAT(text.output, HasSubstr(": ready"));
    EXPECT_THAT(text.output, HasSubstr("worker"));
    const auto now = status();
    EXPECT_EQ(now["phase"], "ready");
    EXPECT_EQ(now["services"][0]["name"], "web");
    EXPECT_EQ(now["services"][0]["restarts"], 0);
    EXPECT_TRUE(read_process(now["services"][0]["pid"].get<pid_t>()));
    const auto down = on_pod({"down"});
    EXPECT_EQ(down.status.code, 0);
    EXPECT_THAT(down.output, HasSubstr("the pod has ended"));
    EXPECT_FALSE(read_process(now["services"][0]["pid"].get<pid_t>()));
    EXPECT_EQ(pod.finish().status.code, 128 + SIGTERM);
    EXPECT_EQ(on_pod({"status"}).status.code, 5);
}

TEST_F(PodCommands, FindThePodByItsTemplateToo) {
    write_template(listener("web"), "pod: {image: i, volume: {name: v, mount: " + root() + "}}\n");
    auto pod = start();
    ASSERT_TRUE(pod.wait_for(is_launched));
    EXPECT_EQ(podctl({"status", "pod.yaml"}).status.code, 0);
    EXPECT_EQ(podctl({"restart", "pod.yaml", "web"}).status.code, 0);
    EXPECT_THAT(podctl({"logs", "web", "pod.yaml"}).output, HasSubstr("up\n"));
    EXPECT_EQ(podctl({"down", "pod.yaml"}).status.code, 0);
}

TEST_F(PodCommands, FindThePodWhoseOwnFolderTheTemplateNamesAlsoByItsRoot) {
    write_template(listener("web"),
                   fmt::format("pod: {{image: i, volume: {{name: v}}, local: {}}}\n",
                               (dir / "local").string()));
    const test::SetEnv none{"PODCTL_LOCAL", nullptr};
    auto pod = start();
    ASSERT_TRUE(pod.wait_for(is_launched));
    EXPECT_TRUE(std::filesystem::exists(dir / "local"));
    EXPECT_EQ(on_pod({"status", "pod.yaml"}).status.code, 0);
    EXPECT_THAT(on_pod({"down", "pod.yaml"}).output, HasSubstr("the pod has ended"));
    EXPECT_EQ(pod.finish().status.code, 128 + SIGTERM);
}

TEST_F(PodCommands, FindThePodAlsoWhenItsStateFolderIsGone) {
    write_template(listener("web"));
    auto pod = start();
    ASSERT_TRUE(pod.wait_for(is_launched));
    const auto web = status()["services"][0]["pid"].get<pid_t>();
    std::filesystem::remove_all(own_folder(root()));
    const auto pid = "pid " + std::to_string(pod.pid());
    for (const std::string asks : {"status", "restart"}) {
        const auto told = on_pod({asks});
        EXPECT_EQ(told.status.code, 5) << asks;
        EXPECT_THAT(told.output, HasSubstr(pid)) << asks;
    }
    const auto second = start().finish();
    EXPECT_EQ(second.status.code, 7) << second.output;
    EXPECT_THAT(second.output, HasSubstr(pid));
    EXPECT_TRUE(read_process(web));
    const auto down = on_pod({"down"});
    EXPECT_EQ(down.status.code, 0);
    EXPECT_THAT(down.output, HasSubstr("the pod has ended"));
    EXPECT_FALSE(read_process(web));
    EXPECT_EQ(pod.finish().status.code, 128 + SIGTERM);
}

TEST_F(PodCommands, DoNotBelieveTheStateFolderOfAnotherUser) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    const auto state = own_folder(root());
    std::filesystem::create_directories(state / "logs");
    ::chmod(root().c_str(), 01777);
    write_file_atomically(state / "logs/web.log", "hello\n");
    for (const auto& path : {state / "logs/web.log", state / "logs", state})
        ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
    for (const std::string asks : {"status", "restart", "logs"}) {
        const auto told = on_pod({asks});
        EXPECT_EQ(told.status.code, 5) << asks;
        EXPECT_THAT(told.output, HasSubstr("belongs to nobody (uid 65534)")) << asks;
        EXPECT_THAT(told.output, Not(HasSubstr("hello"))) << asks;
    }
}

TEST_F(PodCommands, WithoutAPodSayThatThereIsNone) {
    const auto status_text = on_pod({"status"});
    EXPECT_EQ(status_text.status.code, 5);
    EXPECT_THAT(status_text.output, HasSubstr("no pod runs in " + root()));
    EXPECT_EQ(status()["phase"], "stopped");
    EXPECT_EQ(on_pod({"restart"}).status.code, 5);
    EXPECT_EQ(on_pod({"logs"}).status.code, 5);
    EXPECT_EQ(on_pod({"down"}).status.code, 0);
    EXPECT_FALSE(std::filesystem::exists(root()));
    EXPECT_EQ(podctl({"status", "no-such.yaml"}).status.code, 2);
    // Nothing that runs is fine, wherever that is.
    if (std::filesystem::exists("/workspace/.podctl")) return;
    EXPECT_EQ(podctl({"status"}).status.code, 5);
    EXPECT_EQ(podctl({"down"}).status.code, 0);
}

TEST_F(PodCommands, WorkWhileThePodIsProvisioned) {
    std::promise<void> asked, go_on;
    std::atomic<bool> first = true;
    auto gone_on = go_on.get_future().share();
    const test::HttpServer slow{[&](const test::Request&) {
        if (first.exchange(false)) asked.set_value();
        gone_on.wait();
        return test::Response{.status = 404};
    }};
    write_template(listener("web"),
                   "repositories: [{git: '" + slow.url("/r.git") + "', path: r}]\n");
    auto pod = start();
    asked.get_future().wait();
    const auto now = status();
    EXPECT_EQ(now["phase"], "provisioning");
    std::map<std::string, json> states;
    for (const auto& step : now["steps"])
        states[step["step"]] = step["state"];
    EXPECT_EQ(states["preflight"], "done");
    EXPECT_EQ(states["repo:r"], "running");
    EXPECT_EQ(on_pod({"status"}).status.code, 5);
    const auto restart = on_pod({"restart"});
    EXPECT_EQ(restart.status.code, 5);
    EXPECT_THAT(restart.output, HasSubstr("still being provisioned"));
    // It has found the pod before it prints what there is of an earlier one.
    write_file_atomically(own_folder(root()) / "logs/web.log",
                          "2026-01-31T12:00:00.001Z earlier\n");
    auto logs = Running{command({"logs", "-f", "--root", root(), "--output", "json"})};
    ASSERT_TRUE(logs.wait_for("log"));
    auto down = std::async(std::launch::async, [&] { return on_pod({"down"}).status.code; });
    ASSERT_TRUE(pod.wait_for("run.finished"));
    go_on.set_value();
    EXPECT_EQ(down.get(), 0);
    EXPECT_EQ(pod.finish().status.code, 128 + SIGTERM);
    EXPECT_EQ(logs.finish().status.code, 0);
}

TEST_F(PodCommands, RestartsAServiceWithoutCountingAFailure) {
    write_template(listener("web") + listener("app"));
    auto pod = start();
    ASSERT_TRUE(pod.wait_for(is_launched));
    for (int time = 0; time < 6; ++time)
        ASSERT_EQ(on_pod({"restart", "web", "--timeout", "1m"}).status.code, 0);
    const auto services = status()["services"];
    EXPECT_EQ(services[0]["restarts"], 6);
    EXPECT_EQ(services[0]["last_exit"], "killed by SIGTERM");
    EXPECT_EQ(services[1]["restarts"], 0);
    const auto json_line = on_pod({"restart", "web", "--output", "json"}).output;
    EXPECT_EQ(json::parse(json_line)["event"], "service.restarted");
    const auto unknown = on_pod({"restart", "wbe"});
    EXPECT_EQ(unknown.status.code, 2);
    EXPECT_THAT(unknown.output, HasSubstr("did you mean web?"));
}

TEST_F(PodCommands, LogsOfAllServicesAreShownWithTheirNames) {
    write_template(service("a", {"--print", "from a"}) +
                   service("long-name", {"--print", "from b"}));
    auto pod = start();
    ASSERT_TRUE(pod.wait_for(is_launched));
    ASSERT_EQ(on_pod({"down"}).status.code, 0);  // and they are there afterwards
    EXPECT_THAT(on_pod({"logs"}).output, HasSubstr("a         | from a\n"));
    EXPECT_THAT(on_pod({"logs"}).output, HasSubstr("long-name | from b\n"));
    const auto one = on_pod({"logs", "a"}).output;
    EXPECT_THAT(one, HasSubstr("\nfrom a\n"));
    EXPECT_THAT(one, Not(HasSubstr("from b")));
    EXPECT_THAT(on_pod({"logs", "a", "--tail", "1"}).output, HasSubstr("ended: killed by"));
    const auto line = json::parse(on_pod({"logs", "a", "--tail", "1", "--output", "json"}).output);
    EXPECT_EQ(line["event"], "log");
    EXPECT_EQ(line["service"], "a");
    const auto unknown = on_pod({"logs", "long-nam"});
    EXPECT_EQ(unknown.status.code, 2);
    EXPECT_THAT(unknown.output, HasSubstr("did you mean long-name?"));
}

TEST_F(PodCommands, LogsOfSomeServicesFromATimeOn) {
    std::filesystem::create_directories(own_folder(root()) / "logs");
    const auto write_log = [&](const std::string& name, const std::string& time) {
        write_file_atomically(
            own_folder(root()) / "logs" / (name + ".log"),
            "2001-01-31T12:00:00.000Z old " + name + "\n" + time + " new " + name + "\n");
    };
    for (const char* name : {"a", "b", "c"})
        write_log(name, "2999-01-31T12:00:00.000Z");
    const auto two = on_pod({"logs", "c", "a"}).output;
    EXPECT_THAT(two,
                ::testing::AllOf(HasSubstr("old a"), HasSubstr("new c"), Not(HasSubstr(" b"))));
    const auto since = on_pod({"logs", "--since", "1h"}).output;
    EXPECT_THAT(since,
                ::testing::AllOf(HasSubstr("new a"), HasSubstr("new b"), Not(HasSubstr("old"))));
    EXPECT_THAT(on_pod({"logs", "a", "-n", "1"}).output, Not(HasSubstr("old")));
    EXPECT_EQ(on_pod({"logs", "a", "none"}).status.code, 2);
    EXPECT_EQ(on_pod({"restart", "a", "b"}).status.code, 2);
}

TEST_F(PodCommands, StatusIsShownAgainUntilItIsStopped) {
    write_template(listener("web"));
    auto pod = start();
    ASSERT_TRUE(pod.wait_for("service.ready"));
    Running watching{command({"status", "--watch", "--json", "--root", root()})};
    ASSERT_TRUE(watching.wait_for("status"));
    ASSERT_TRUE(watching.wait_for("status"));
    watching.signal(SIGINT);
    EXPECT_EQ(watching.finish().status.code, 128 + SIGINT);
}

TEST_F(PodCommands, LogsAreFollowedUntilThePodEnds) {
    write_template(listener("web", {"--print", "hello"}));
    auto pod = start();
    ASSERT_TRUE(pod.wait_for(is_launched));
    const std::vector<std::string> follow{"logs", "-f", "--root", root(), "--output", "json"};
    auto first = Running{command(follow)}, second = Running{command(follow)};
    const auto is_hello = [](const json& event) { return event.value("line", "") == "hello"; };
    EXPECT_TRUE(first.wait_for(is_hello));
    EXPECT_TRUE(second.wait_for(is_hello));
    second.signal(SIGINT);
    EXPECT_EQ(second.finish().status.code, 128 + SIGINT);
    ASSERT_EQ(on_pod({"restart"}).status.code, 0);
    EXPECT_TRUE(first.wait_for(is_hello));
    pod.signal(SIGTERM);
    pod.finish();
    const auto end = first.finish();
    EXPECT_EQ(end.status.code, 0);
    EXPECT_THAT(end.output, HasSubstr("web ended: killed by SIGTERM"));
}

TEST_F(PodCommands, LogsEndWithTheirReader) {
    write_template(listener("web", {"--lines", "5000"}));
    auto pod = start();
    ASSERT_TRUE(pod.wait_for(is_launched));
    auto piped = command({"logs", "--root", root()});
    piped.argv.insert(piped.argv.begin(),
                      {"bash", "-c", "\"$0\" \"$@\" | head -2 >&2; exit ${PIPESTATUS[0]}"});
    EXPECT_EQ(run_captured(piped, {}).status.code, 128 + SIGPIPE);
}

TEST_F(PodCommands, DownKillsWhatDoesNotEndInTime) {
    write_template(listener("stubborn", {"--ignore-term", "1"}));
    auto pod = start();
    ASSERT_TRUE(pod.wait_for(is_launched));
    const auto pid = status()["services"][0]["pid"].get<pid_t>();
    const auto started = std::chrono::steady_clock::now();
    EXPECT_EQ(on_pod({"down", "--timeout", "100ms"}).status.code, 0);
    EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds{9});  // the grace
    EXPECT_FALSE(read_process(pid));
}

TEST_F(PodCommands, DownEndsWhatAKilledPodctlHasLeft) {
    write_template(listener("web"));
    auto pod = start();
    ASSERT_TRUE(pod.wait_for(is_launched));
    const auto pid = status()["services"][0]["pid"].get<pid_t>();
    pod.kill();
    pod.wait_for("run.finished");  // the end of its output: the service has a pipe of its own
    const auto left = status();
    EXPECT_EQ(left["phase"], "left behind");
    EXPECT_EQ(left["services"][0]["pid"], pid);
    const auto down = on_pod({"down"});
    EXPECT_EQ(down.status.code, 0);
    EXPECT_THAT(down.output, HasSubstr("ended web"));
    EXPECT_FALSE(read_process(pid));
    EXPECT_THAT(on_pod({"down"}).output, HasSubstr("no pod runs"));
}

TEST_F(PodCommands, ProvisioningAloneLeavesAloneWhatAKilledPodctlHasLeft) {
    write_template(listener("web"));
    auto pod = start();
    ASSERT_TRUE(pod.wait_for(is_launched));
    const auto pid = status()["services"][0]["pid"].get<pid_t>();
    pod.kill();
    pod.wait_for("run.finished");  // the end of its output
    EXPECT_EQ(start({"--no-launch"}).finish().status.code, 0);
    EXPECT_TRUE(read_process(pid));
}

TEST_F(PodCommands, DownEndsServicesThatPodJsonDoesNotKnow) {
    for (const std::string known : {"", "{\"podctl\": 1}\n"}) {
        write_template(listener("web"));
        auto pod = start();
        ASSERT_TRUE(pod.wait_for(is_launched));
        const auto pid = status()["services"][0]["pid"].get<pid_t>();
        pod.kill();
        pod.wait_for("run.finished");
        write_file_atomically(own_folder(dir / "root") / "pod.json", known);
        if (known.empty()) std::filesystem::remove(own_folder(dir / "root") / "pod.json");
        EXPECT_THAT(on_pod({"down"}).output, HasSubstr("had left running"));
        EXPECT_FALSE(read_process(pid));
    }
}

TEST_F(PodCommands, AnotherUserReachesNothing) {
    if (::geteuid() != 0 || !find_program("setpriv")) GTEST_SKIP() << "needs root and setpriv";
    write_template(listener("web"));
    auto pod = start();
    ASSERT_TRUE(pod.wait_for(is_launched));
    std::filesystem::permissions(dir.path(), std::filesystem::perms::all);
    auto foreign = command({"status", "--root", root()});
    foreign.argv.insert(foreign.argv.begin(), {"setpriv", "--reuid", "65534", "--clear-groups"});
    const auto refused = run_captured(foreign, {});
    EXPECT_EQ(refused.status.code, 5);
    EXPECT_THAT(refused.output, HasSubstr("cannot be reached: its socket: Permission denied"));
    EXPECT_EQ(on_pod({"status"}).status.code, 0);
}

}  // namespace
}  // namespace podctl::e2e
