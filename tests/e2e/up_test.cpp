#include "podctl/base/names.hpp"
#include "podctl/base/process_stat.hpp"

#include "pod.hpp"
#include "support/raw_server.hpp"

#include <sys/stat.h>

#include <fstream>

namespace podctl::e2e {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ContainsRegex;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

class Up : public PodTest {};

std::string url(const json& ready) {
    return ready.value("url", "");
}

TEST_F(Up, BringsThePodUpAndEndsItOnSigterm) {
    auto pod = start("up");
    const auto ready = pod.wait_for("service.ready");
    ASSERT_TRUE(ready) << pod.finish().output;
    http::Client http;
    const auto stats = http.send({.url = url(*ready) + "/system_stats"});
    EXPECT_EQ(stats.status, 200);
    EXPECT_EQ(stats.header("access-control-allow-origin"), "*");
    const auto nodes = json::parse(http.send({.url = url(*ready) + "/object_info"}).body);
    EXPECT_TRUE(nodes.contains("PackNode"));
    EXPECT_EQ(read_file(model()), model_bytes);
    pod.signal(SIGTERM);
    const auto end = pod.finish();
    EXPECT_EQ(end.status.code, 128 + SIGTERM) << end.output;
    EXPECT_EQ(end.of("run.finished").at(0).value("exit_code", 0), 128 + SIGTERM);
    EXPECT_THROW(http.send({.url = url(*ready) + "/system_stats"}), Error);  // nobody listens
}

TEST_F(Up, ASecondRunChangesNothingAndAsksNobody) {
    ASSERT_TRUE(provision().status.ok());
    const auto before = requests();
    const auto again = provision();
    EXPECT_TRUE(again.status.ok()) << again.output;
    EXPECT_THAT(again.steps("step.started"), ElementsAre("preflight"));
    EXPECT_EQ(requests(), before);
}

TEST_F(Up, LeavesALogOfWhatItToldAskedAndRan) {
    ASSERT_TRUE(provision().status.ok());
    const auto file = own() / "logs/podctl.log";
    const auto log = read_file(file);
    EXPECT_THAT(log, AllOf(ContainsRegex("20[0-9-]+T[0-9:.]+Z podctl .*pod.yaml in "),
                           ContainsRegex("debug http: GET http://[^?\n]*: 200 in "),
                           HasSubstr("debug git: asking http"), HasSubstr("debug process: "),
                           HasSubstr("comfyui.clone: done in "), HasSubstr("Z done in ")));
    EXPECT_THAT(log, Not(HasSubstr(test::Hub::civitai_key)));
    // A line each, whatever a child was given.
    EXPECT_THAT(split(log, '\n'), Each(AnyOf("", ContainsRegex("^20[0-9-]+T[0-9:.]+Z "))));
    ASSERT_TRUE(provision().status.ok());
    const auto more = read_file(file).substr(log.size());
    EXPECT_THAT(more,
                AllOf(HasSubstr("comfyui.clone: nothing to do"), Not(HasSubstr("debug http"))));
}

TEST_F(Up, AsksAnSshServerWhereThereIsNoHome) {
    const test::RawServer server{[](test::RawConnection& client) { client.send("no SSH\r\n"); }};
    const auto port = server.url("").substr(server.url("").rfind(':'));
    write_template("repositories: [{git: 'ssh://127.0.0.1" + port + "/x.git', path: x}]\n");
    environment["HOME"] = (dir / "not-there").string();
    const auto failed = provision().of("step.failed");
    ASSERT_FALSE(failed.empty());
    EXPECT_THAT(failed.at(0)["error"].value("message", ""),
                AllOf(HasSubstr("ssh://127.0.0.1"), Not(HasSubstr("known_hosts"))));
}

TEST_F(Up, ShowsWhatItAsksAndRunsWhereThatIsWanted) {
    const auto end = run("up", {"--no-launch", "--log-level", "debug"});
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_THAT(end.output, HasSubstr("debug git: asking http"));
    EXPECT_THAT(run("up", {"--no-launch"}).output, Not(HasSubstr("debug ")));
}

TEST_F(Up, PlanSaysWhatThereIsToDoAndThenThatThereIsNothing) {
    const auto before = run("plan");
    EXPECT_EQ(before.status.code, 10) << before.output;
    EXPECT_FALSE(std::filesystem::exists(root()));
    ASSERT_TRUE(provision().status.ok());
    const auto after = run("plan");
    EXPECT_EQ(after.status.code, 0) << after.output;
    EXPECT_EQ(after.of("plan.finished").at(0).value("keep", 0u), after.of("plan.step").size());
}

TEST_F(Up, AFailedStepFailsTheRunAndOnlyWhatNeedsIt) {
    write_template("custom_nodes: [https://github.com/comfyanonymous/no-such-pack.git]\n");
    const auto end = provision();
    EXPECT_EQ(end.status.code, 4) << end.output;
    EXPECT_THAT(end.steps("step.failed"), ElementsAre("node:no-such-pack"));
    EXPECT_THAT(end.steps("step.finished"), Contains(HasSubstr("model:")));
    EXPECT_EQ(read_file(model()), model_bytes);
    EXPECT_THAT(end.steps("step.not_run"), IsSupersetOf({"python.resolve", "python.install"}));
}

TEST_F(Up, AModelWhoseUrlSaysNoNameGetsTheServersOwn) {
    test::HttpServer server([](const test::Request& got) {
        auto response = test::serve_bytes(got, "weights");
        response.headers.emplace_back("Content-Disposition",
                                      "attachment; filename=\"../given.bin\"");
        return response;
    });
    const auto first = provision({"--set", "models.1={source: '" + server.url("/download?id=7") +
                                               "', to: loras, pickle: allow}"});
    EXPECT_EQ(first.status.code, 0) << first.output;
    EXPECT_THAT(first.steps("step.finished"), Contains("model:loras/_given.bin"));
    const auto asked = server.requests().size();
    const auto second = provision({"--set", "models.1={source: '" + server.url("/download?id=7") +
                                                "', to: loras, pickle: allow}"});
    EXPECT_THAT(second.steps("step.started"), ElementsAre("preflight"));
    EXPECT_EQ(server.requests().size(), asked);
}

TEST_F(Up, AnOptionalModelThatCannotBeHadIsAWarning) {
    write_template("");
    const auto end =
        provision({"--set", "models.1={source: 'civitai:1@99', to: loras, optional: true}"});
    EXPECT_EQ(end.status.code, 0) << end.output;
    ASSERT_THAT(end.of("step.failed"), ::testing::SizeIs(1));
    EXPECT_TRUE(end.of("step.failed").at(0).value("optional", false));
}

TEST_F(Up, ASecondPodctlOnTheSameRootIsTurnedAway) {
    auto first = start("up");
    ASSERT_TRUE(first.wait_for("run.started"));
    EXPECT_EQ(provision().status.code, 7);
    first.signal(SIGINT);
    EXPECT_EQ(first.finish().status.code, 128 + SIGINT);
}

TEST_F(Up, NoSecretAndNoPresignedQueryIsSaidOrWritten) {
    auto pod = start("up", {"-v"});
    ASSERT_TRUE(pod.wait_for("service.ready"));
    pod.signal(SIGTERM);
    const auto end = pod.finish();
    std::string everything = end.output;
    for (const auto& folder : {root() / ".podctl", own()}) {
        for (const auto& entry : std::filesystem::recursive_directory_iterator{folder}) {
            const bool cache = entry.path().string().find("/cache/") != std::string::npos ||
                               entry.path().string().find("/tools/") != std::string::npos;
            if (!cache && entry.is_regular_file()) everything += read_file(entry.path());
        }
    }
    EXPECT_THAT(everything, Not(HasSubstr(test::Hub::civitai_key)));
    EXPECT_THAT(everything, Not(HasSubstr("X-Amz-Signature")));
    EXPECT_THAT(everything, HasSubstr("tiny-mid_1-vid_11"));
}

TEST_F(Up, WithJsonOutputStdoutIsJsonLinesOnly) {
    auto arguments = with_template("up", {"--no-launch"});
    std::string line = "exec \"$0\" \"$@\" 2>/dev/null";
    std::vector<std::string> shell{"sh", "-c", line, PODCTL_BINARY};
    shell.insert(shell.end(), arguments.begin(), arguments.end());
    auto made = command({});
    made.argv = shell;
    std::size_t lines = 0;
    const auto status = run_command(
        made, {}, {.on_line = [&](std::string_view text) {
            ++lines;
            const json event = json::parse(text, nullptr, false);
            EXPECT_TRUE(event.is_object() && event.contains("time") && event.contains("event"))
                << text;
        }});
    EXPECT_TRUE(status.ok());
    EXPECT_GT(lines, 5u);
}

TEST_F(Up, WithoutItsStateEverythingIsVerifiedAndNothingIsFetchedAgain) {
    ASSERT_TRUE(provision().status.ok());
    std::filesystem::remove_all(root() / ".podctl");
    const auto sent = hub.store().body_bytes_sent();
    const auto fetches = git_server.fetches();
    const auto end = provision();
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_EQ(hub.store().body_bytes_sent(), sent);
    EXPECT_EQ(git_server.fetches(), fetches);
    EXPECT_EQ(run("plan").status.code, 0);
}

TEST_F(Up, OfflineTakesWhatIsThereAndSaysWhatIsNot) {
    EXPECT_EQ(provision({"--offline"}).status.code, 4);
    ASSERT_TRUE(provision().status.ok());
    const auto before = requests();
    EXPECT_TRUE(provision({"--offline", "--verify"}).status.ok());
    EXPECT_EQ(requests(), before);
}

TEST_F(Up, APackThatCannotBeImportedIsNamedWithItsReason) {
    publish_pack("broken", "import podctl_no_such_module\n");
    write_template("custom_nodes: [https://github.com/comfyanonymous/broken.git]\n");
    auto pod = start("up");
    const auto failed = pod.wait_for("node.failed");
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->value("node", ""), "broken");
    EXPECT_THAT(failed->value("reason", ""), HasSubstr("podctl_no_such_module"));
    ASSERT_TRUE(pod.wait_for("service.ready"));
    const auto told =
        run_captured(command({"status", "--root", root().string(), "--output", "json"}), {});
    const auto status = json::parse(told.output, nullptr, false);
    EXPECT_EQ(status["failed_nodes"][0]["node"], "broken") << told.output;
    EXPECT_THAT(run_captured(command({"status", "--root", root().string()}), {}).output,
                HasSubstr("  broken: "));
    pod.signal(SIGTERM);
    EXPECT_EQ(pod.finish().status.code, 128 + SIGTERM);
}

TEST_F(Up, AnInstallScriptRunsInItsPackAndItsFailureIsSeen) {
    publish_pack("good", "NODE_CLASS_MAPPINGS = {}\n",
                 {{"install.py", "open('installed', 'w').write('yes')\n"}});
    publish_pack("bad", "NODE_CLASS_MAPPINGS = {}\n",
                 {{"install.py", "raise SystemExit('no disk for me')\n"}});
    write_template(
        "custom_nodes: [https://github.com/comfyanonymous/good.git, "
        "https://github.com/comfyanonymous/bad.git]\n");
    const auto end = provision();
    EXPECT_EQ(end.status.code, 4);
    EXPECT_EQ(read_file(root() / "ComfyUI/custom_nodes/good/installed"), "yes");
    EXPECT_THAT(end.steps("step.failed"), ElementsAre("node:bad.install"));
    EXPECT_THAT(end.of("step.failed").at(0)["error"].value("message", ""),
                HasSubstr("no disk for me"));
}

TEST_F(Up, AComfyUiThatDoesNotStartEndsTheRunWith5) {
    write_template("");
    auto arguments = std::vector<std::string>{"--set", "comfyui.args=[--no-such-flag]"};
    const auto end = run("up", arguments);
    EXPECT_EQ(end.status.code, 5) << end.output;
    EXPECT_THAT(end.of("step.failed").at(0)["error"].value("message", ""),
                HasSubstr("no-such-flag"));
}

TEST_F(Up, APortThatIsTakenIsFoundBeforeAnythingIsDone) {
    write_template("");
    const auto taken = std::to_string(hub.civitai().port());
    const auto end = run("up", {"--set", "comfyui.port=" + taken});
    EXPECT_EQ(end.status.code, 3) << end.output;
    EXPECT_THAT(end.of("step.failed").at(0)["error"].value("message", ""), HasSubstr(taken));
    EXPECT_FALSE(std::filesystem::exists(root() / "ComfyUI"));
}

TEST_F(Up, WhatAKilledPodctlLeftRunningIsEndedBeforeTheNextLaunch) {
    auto killed = start("up");
    const auto first = killed.wait_for("service.ready");
    ASSERT_TRUE(first);
    killed.kill();
    auto pod = start("up");
    EXPECT_TRUE(pod.wait_for("service.ready"));
    pod.signal(SIGTERM);
    EXPECT_EQ(pod.finish().status.code, 128 + SIGTERM);
    killed.finish();
    EXPECT_THROW(http::Client{}.send({.url = url(*first) + "/system_stats"}), Error);
}

TEST_F(Up, AScriptThatAKilledPodctlLeftRunningIsEndedBeforeItsStepRunsAgain) {
    const auto said = dir / "said";
    ASSERT_EQ(::mkfifo(said.c_str(), 0600), 0);
    publish_pack("pack", "", {{"install.py", R"(
import os, time
first = not os.path.exists("first")
open("first", "w").close()
if first:
    with open(")" + said.string() + R"(", "w") as file:
        file.write(str(os.getpid()))
    time.sleep(1000)
)"}});
    auto killed = start("up", {"--no-launch"});
    // Opening the pipe waits for the script, however long it takes to be started.
    std::ifstream pipe{said};
    pid_t script = 0;
    ASSERT_TRUE(pipe >> script);
    killed.kill();
    ASSERT_TRUE(read_process(script));
    const auto end = provision();
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_THAT(end.output, HasSubstr("left running by a podctl that was killed: ended"));
    EXPECT_FALSE(read_process(script));
    killed.finish();
}

TEST_F(Up, InstallsIntoTheInterpreterItselfWhenTheTemplateSaysSo) {
    ASSERT_TRUE(
        run_command({.argv = {"python3", "-m", "venv", "one"}, .working_directory = dir.path()}, {})
            .ok());
    ASSERT_TRUE(
        run_command({.argv = {"python3", "-m", "venv", "two"}, .working_directory = dir.path()}, {})
            .ok());
    const auto into = [&](const std::string& venv) {
        const auto python = (dir / venv / "bin/python").string();
        const auto end = provision(
            {"--set", "python.environment=system", "--set", "python.interpreter=" + python});
        EXPECT_TRUE(end.status.ok()) << end.output;
        EXPECT_TRUE(run_command({.argv = {python, "-c", "import png, humanize"}}, {}).ok()) << venv;
        return end.steps("step.finished");
    };
    EXPECT_THAT(into("one"), Contains("python.install"));
    EXPECT_THAT(into("one"), Not(Contains("python.install")));
    EXPECT_THAT(into("two"), Contains("python.install"));
}

TEST_F(Up, AServiceThatCannotBeStartedEndsTheRunWith5) {
    write_file_atomically(
        dir / "pod.yaml",
        "apiVersion: podctl/v1\nname: pod\nservices: [{name: app, command: [no-such-program]}]\n");
    const auto end = run("up");
    EXPECT_EQ(end.status.code, 5) << end.output;
    EXPECT_THAT(end.steps("step.failed"), ElementsAre("launch"));
}

// Every instant that an event marks is one at which the machine may go down.
TEST_F(Up, KilledAtAnyInstantItComesToTheSameEnd) {
    const auto reference = [&] {
        const auto whole = provision();
        EXPECT_TRUE(whole.status.ok()) << whole.output;
        std::filesystem::rename(root(), dir / "reference");
        return whole.events.size();
    }();
    for (std::size_t instant = 1; instant + 1 < reference; ++instant) {
        auto pod = start("up", {"--no-launch"});
        std::size_t seen = 0;
        pod.wait_for([&](const json&) { return ++seen == instant; });
        pod.kill();
        pod.finish();
        if (instant % 3 != 0) continue;  // several deaths in a row, then a run to the end
        const auto end = provision();
        ASSERT_TRUE(end.status.ok()) << "killed at event " << instant << "\n" << end.output;
        EXPECT_EQ(run("plan").status.code, 0) << instant;
        EXPECT_EQ(read_file(model()), model_bytes);
        const auto state = [&](const std::filesystem::path& whole) {
            return test::git(whole / "ComfyUI", {"rev-parse", "HEAD"}) +
                   test::git(whole / "ComfyUI/custom_nodes/pack", {"rev-parse", "HEAD"}) +
                   test::git(whole / "ComfyUI", {"status", "--porcelain", "--ignored=no", "-uno"});
        };
        EXPECT_EQ(state(root()), state(dir / "reference"));
        std::filesystem::remove_all(root());
    }
}

}  // namespace
}  // namespace podctl::e2e
