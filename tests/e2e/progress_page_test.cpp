#include "pod.hpp"

#include <future>

namespace podctl::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ProgressPage : public PodTest {
protected:
    // No byte of the model comes before this.
    std::promise<void> go;

    ProgressPage() {
        hub.alter_store([may_go = go.get_future().share()](const auto&, auto&) { may_go.wait(); });
    }
    static bool downloads(const json& event) {
        return event.value("event", "") == "step.started" &&
               event.value("step", "").starts_with("model:");
    }
    static http::Request request(const std::string& path) {
        return {.url = "http://127.0.0.1:" + std::to_string(port()) + path,
                .headers = {{"Accept", "application/json"}}};
    }
    // It opens a moment after the last event.
    json page_when_open() {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{60};
        while (true) {
            const auto state = json::parse(http.send(request("/")).body);
            if (state.contains("failure") || std::chrono::steady_clock::now() > until) return state;
        }
    }
    json status() const {
        const auto told =
            run_captured(command({"status", "--root", root().string(), "--output", "json"}), {});
        return json::parse(told.output, nullptr, false);
    }
    http::Client http;
};

TEST_F(ProgressPage, StandsAtThePortUntilComfyUiDoes) {
    auto pod = start("up");
    ASSERT_TRUE(pod.wait_for(downloads));
    const auto page = http.send(request("/"));
    EXPECT_THAT(page.body, Not(HasSubstr(test::Hub::civitai_key)));
    const auto state = json::parse(page.body);
    EXPECT_EQ(state.value("pod", ""), "pod");
    std::map<std::string, std::string> steps;
    for (const auto& step : state["steps"])
        steps[step.value("id", "")] = step.value("state", "");
    EXPECT_EQ(steps["preflight"], "done");
    EXPECT_EQ(steps["model:checkpoints/Tiny, Model/tiny-mid_1-vid_11.safetensors"], "running");
    EXPECT_EQ(http.send(request("/system_stats")).status, 503);

    go.set_value();
    const auto ready = pod.wait_for("service.ready");
    ASSERT_TRUE(ready) << pod.finish().output;
    EXPECT_EQ(http.send(request("/system_stats")).status, 200);
    EXPECT_THAT(http.send(request("/")).body, HasSubstr("It runs"));
    pod.signal(SIGTERM);
    EXPECT_EQ(pod.finish().status.code, 128 + SIGTERM);
}

TEST_F(ProgressPage, IsNotThereWhereTheTemplateSaysSo) {
    auto pod = start("up", {"--set", "comfyui.progress_page=false"});
    ASSERT_TRUE(pod.wait_for(downloads));
    EXPECT_THROW(http.send(request("/")), Error);
    go.set_value();
    EXPECT_TRUE(pod.wait_for("service.ready"));
    pod.signal(SIGTERM);
    pod.finish();
}

TEST_F(ProgressPage, GoesWithTheRunThatFails) {
    write_template("custom_nodes: [https://github.com/comfyanonymous/no-such-pack.git]\n");
    auto pod = start("up");
    ASSERT_TRUE(pod.wait_for("step.failed"));
    const auto state = json::parse(http.send(request("/")).body);
    std::string message;
    for (const auto& step : state["steps"])
        if (step.value("state", "") == "failed") message = step.value("message", "");
    EXPECT_EQ(message, "what was asked for does not exist");
    EXPECT_THAT(state.dump(), Not(HasSubstr(root().string())));
    go.set_value();
    EXPECT_EQ(pod.finish().status.code, 4);
    EXPECT_THROW(http.send(request("/")), Error);
}

// A container's entrypoint stays after a failure, and its page with it.
TEST_F(ProgressPage, TellsOfTheFailureUntilTheNextUpTakesThePortOver) {
    const auto script = dir / "start.sh";
    write_file_atomically(script, "#!/bin/sh\nexec sleep infinity\n");
    std::filesystem::permissions(script, std::filesystem::perms::owner_all);
    go.set_value();
    write_template("custom_nodes: [https://github.com/comfyanonymous/no-such-pack.git]\n");
    auto failed = start("up", {"--image-start", script.string()});
    ASSERT_TRUE(failed.wait_for([](const json& event) {
        return event.value("message", "").find("the container stays") != std::string::npos;
    }));
    EXPECT_EQ(page_when_open()["failure"]["exit_code"], 4);
    const auto now = status();
    EXPECT_EQ(now["phase"], "failed");
    EXPECT_EQ(now["last_run"]["exit_code"], 4);
    EXPECT_EQ(now["last_run"]["failures"][0]["step"], "node:no-such-pack");
    EXPECT_THAT(now["last_run"]["failures"][0].value("message", ""), HasSubstr("no-such-pack"));

    write_template("");
    auto second = start("up");
    EXPECT_TRUE(second.wait_for("service.ready"));
    EXPECT_EQ(status()["phase"], "ready");
    failed.signal(SIGTERM);
    EXPECT_EQ(failed.finish().status.code, 4);
    EXPECT_EQ(status()["phase"], "ready");
    second.signal(SIGTERM);
    EXPECT_EQ(second.finish().status.code, 128 + SIGTERM);
    EXPECT_EQ(status()["last_run"]["exit_code"], 128 + SIGTERM);
}

}  // namespace
}  // namespace podctl::e2e
