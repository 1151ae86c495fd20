#include "podctl/base/process_stat.hpp"

#include "pod.hpp"
#include "support/wheels.hpp"

#include <atomic>
#include <future>
#include <set>

// A volume that several pods use, each with a disk of its own.
namespace podctl::e2e {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class SharedVolume : public PodTest {
protected:
    SharedVolume() {
        test::write_index(dir / "index", {{"pypng", "0.20220715.0", {}, {{"png.py", ""}}},
                                          {"humanize", "4.9.0"},
                                          {"more", "1.0"}});
        environment = {{"PIP_CONFIG_FILE", "/dev/null"}};  // the machine's has further indexes
        ask_for("");
    }

    // A template with one more requirement. Packages come from an index of this test.
    void ask_for(const std::string& requirement, const std::string& more = "") {
        write_template(
            "custom_nodes: [https://github.com/comfyanonymous/pack.git]\n"
            "pod: {image: i, volume: {name: v, mount: /workspace, shared: true}}\n" +
                more,
            "index_url: \"" + index.url("/") + "\", requirements: [" + requirement + "]");
    }
    fs::path python() const { return own() / "venvs/python/bin/python"; }
    std::vector<fs::path> archives() const {
        std::vector<fs::path> found;
        for (const auto& entry : fs::directory_iterator{root() / ".podctl/environments"})
            if (entry.path().extension() == ".zst") found.push_back(entry.path());
        return found;
    }
    static std::vector<std::string> notices(const Finished& end) {
        std::vector<std::string> messages;
        for (const auto& it : end.of("notice"))
            messages.push_back(it.value("message", ""));
        return messages;
    }

    test::HttpServer index{test::serve_index(dir / "index")};
};

TEST_F(SharedVolume, ANewPodUnpacksTheSnapshotAndAsksNobody) {
    const auto first = provision();
    ASSERT_TRUE(first.status.ok()) << first.output;
    EXPECT_FALSE(fs::exists(root() / "venv"));
    EXPECT_THAT(archives(), SizeIs(1));
    const auto asked = requests() + index.requests().size();
    fs::remove_all(own());  // another container
    const auto second = provision({"--offline"});
    ASSERT_TRUE(second.status.ok()) << second.output;
    EXPECT_EQ(requests() + index.requests().size(), asked);
    EXPECT_THAT(second.steps("step.finished"),
                UnorderedElementsAre("preflight", "python.venv", "comfyui.code"));
    EXPECT_TRUE(run_command({.argv = {python().string(), "-c", "import png, humanize"}}, {}).ok());
    EXPECT_THAT(archives(), SizeIs(1));
    EXPECT_EQ(run("plan").status.code, 0);
}

TEST_F(SharedVolume, ASnapshotThatIsNotWholeIsNotTakenAndSaidSo) {
    ASSERT_TRUE(provision().status.ok());
    const auto archive = archives().at(0);
    fs::resize_file(archive, fs::file_size(archive) / 2);
    fs::remove_all(own());
    const auto end = provision();
    ASSERT_TRUE(end.status.ok()) << end.output;
    EXPECT_THAT(notices(end), Contains(HasSubstr("the snapshot on the volume is not taken")));
    EXPECT_THAT(end.steps("step.finished"), Contains("python.install"));
    EXPECT_TRUE(run_command({.argv = {python().string(), "-c", "import humanize"}}, {}).ok());
    // A whole one has taken its place.
    fs::remove_all(own());
    const auto next = provision({"--offline"});
    EXPECT_THAT(next.steps("step.finished"),
                UnorderedElementsAre("preflight", "python.venv", "comfyui.code"));
}

TEST_F(SharedVolume, AnEnvironmentThatOthersHaveChangedIsNoSnapshot) {
    const auto template_text = read_file(dir / "pod.yaml");
    ASSERT_TRUE(provision({"--only", "python.install"}).status.ok());
    for (const auto& archive : archives())
        fs::remove(archive);
    for (const auto& file : fs::recursive_directory_iterator{own() / "venvs"})
        if (file.path().filename().string().starts_with("humanize-4.9.0")) {
            fs::remove_all(file.path());
            break;
        }
    auto keep = template_text;
    const std::string from = "python: {";
    keep.replace(keep.find(from), from.size(), from + "drift: keep, ");
    write_file_atomically(dir / "pod.yaml", keep);
    ASSERT_TRUE(provision().status.ok());
    EXPECT_THAT(archives(), SizeIs(0));
}

// Two pods of one volume, each with the packs of its own template.
TEST_F(SharedVolume, PacksAndOutputsMayBeEachPodsOwn) {
    auto text = read_file(dir / "pod.yaml");
    const std::string from = "shared: true}";
    text.replace(text.find(from), from.size(),
                 from + ", shared: {custom_nodes: false, output: false}");
    write_file_atomically(dir / "pod.yaml", text);
    const auto first = provision();
    ASSERT_TRUE(first.status.ok()) << first.output;
    const auto base = own() / "comfyui";
    EXPECT_TRUE(fs::exists(base / "custom_nodes/pack/__init__.py"));
    EXPECT_FALSE(fs::exists(root() / "ComfyUI/custom_nodes/pack"));
    EXPECT_EQ(fs::read_symlink(base / "models"), root() / "ComfyUI/models");
    EXPECT_THAT(provision().steps("step.finished"), ElementsAre("preflight"));

    auto pod = start("up");
    ASSERT_TRUE(pod.wait_for("service.ready"));
    EXPECT_TRUE(fs::exists(root() / "ComfyUI/output" / host_name()));
    pod.signal(SIGTERM);
    const auto end = pod.finish();
    EXPECT_EQ(end.status.code, 128 + SIGTERM);
    EXPECT_THAT(end.of("node.failed"), SizeIs(0));
    EXPECT_THAT(read_file(own() / "logs/comfyui.log"),
                HasSubstr((base / "custom_nodes/pack").string()));

    // Another container brings its own again, and its environment from the snapshot.
    fs::remove_all(own());
    const auto second = provision();
    ASSERT_TRUE(second.status.ok()) << second.output;
    EXPECT_THAT(second.steps("step.finished"),
                UnorderedElementsAre("preflight", "python.venv", "comfyui.base", "comfyui.code",
                                     "node:pack"));
    // One that is named no more is moved away within the pod's own disk.
    text.replace(text.find("custom_nodes: ["),
                 std::string{"custom_nodes: [https://github.com/comfyanonymous/pack.git]"}.size(),
                 "custom_nodes: []");
    write_file_atomically(dir / "pod.yaml", text);
    ASSERT_TRUE(provision({"--prune"}).status.ok());
    EXPECT_FALSE(fs::exists(base / "custom_nodes/pack"));
    const auto replaced = *fs::directory_iterator{own() / "replaced"};
    EXPECT_TRUE(fs::exists(replaced.path() / "comfyui/custom_nodes/pack/__init__.py"));
}

// ComfyUI runs from a copy on the container's disk, which follows the checkout at each start.
TEST_F(SharedVolume, AnEditOfComfyUisCodeCountsAfterARestart) {
    auto pod = start("up");
    ASSERT_TRUE(pod.wait_for("service.ready"));
    EXPECT_TRUE(fs::is_regular_file(own() / "code/main.py"));
    EXPECT_TRUE(fs::is_directory(own() / "code/__pycache__"));
    auto nodes = read_file(root() / "ComfyUI/nodes.py");
    write_file_atomically(root() / "ComfyUI/nodes.py",
                          nodes + "\nprint('edited by hand, beside', folder_paths.__file__)\n");
    fs::remove(root() / "ComfyUI/README.md");
    const auto restarted =
        run_captured(command({"restart", "pod.yaml", "--root", root().string()}), {});
    ASSERT_TRUE(restarted.status.ok()) << restarted.output;
    EXPECT_THAT(
        read_file(own() / "logs/comfyui.log"),
        HasSubstr("edited by hand, beside " + (root() / "ComfyUI/folder_paths.py").string()));
    EXPECT_FALSE(fs::exists(own() / "code/README.md"));
    // Its packs are the volume's.
    EXPECT_EQ(fs::read_symlink(own() / "code/custom_nodes"), root() / "ComfyUI/custom_nodes");
    pod.signal(SIGTERM);
    const auto end = pod.finish();
    EXPECT_EQ(end.status.code, 128 + SIGTERM);
    EXPECT_THAT(end.of("node.failed"), SizeIs(0));
    EXPECT_THAT(notices(end), Not(Contains(HasSubstr("ComfyUI runs from"))));
}

TEST_F(SharedVolume, WhatPythonHasCompiledOfComfyUiIsKeptForTheNextPod) {
    auto pod = start("up");
    ASSERT_TRUE(pod.wait_for("service.ready"));
    const auto bytecode = [](const fs::path& code) {
        std::set<fs::path> names;
        std::error_code ignored;
        for (const auto& entry : fs::directory_iterator{code / "__pycache__", ignored})
            if (entry.path().extension() == ".pyc") names.insert(entry.path().filename());
        return names;
    };
    const auto made = bytecode(own() / "code");
    EXPECT_FALSE(made.empty());
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (bytecode(root() / "ComfyUI") != made && std::chrono::steady_clock::now() < until)
        std::this_thread::yield();
    EXPECT_EQ(bytecode(root() / "ComfyUI"), made);
    pod.signal(SIGTERM);
    EXPECT_EQ(pod.finish().status.code, 128 + SIGTERM);
    fs::remove_all(own());  // another container
    ASSERT_TRUE(provision().status.ok());
    EXPECT_EQ(bytecode(own() / "code"), made);
}

TEST_F(SharedVolume, ASnapshotIsTakenBehindAPodThatHasAnswered) {
    auto pod = start("up");
    ASSERT_TRUE(pod.wait_for("service.ready"));
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    const auto is_there = [&] {
        for (const auto& entry : fs::directory_iterator{root() / ".podctl/environments"})
            if (entry.path().extension() == ".json") return true;
        return false;
    };
    while (!is_there() && std::chrono::steady_clock::now() < until)
        std::this_thread::yield();
    EXPECT_TRUE(is_there());
    pod.signal(SIGTERM);
    EXPECT_EQ(pod.finish().status.code, 128 + SIGTERM);
}

TEST_F(SharedVolume, OtherPackagesAreAnotherSnapshotAndTheOldOneServesForGoingBack) {
    ASSERT_TRUE(provision().status.ok());
    ask_for("more");
    ASSERT_TRUE(provision().status.ok());
    EXPECT_THAT(archives(), SizeIs(2));
    ask_for("");
    fs::remove_all(own());
    const auto asked = index.requests().size();
    const auto back = provision();
    ASSERT_TRUE(back.status.ok()) << back.output;
    EXPECT_EQ(index.requests().size(), asked);
    EXPECT_FALSE(run_command({.argv = {python().string(), "-c", "import more"}}, {}).ok());
}

// A step of the first pod hangs until the test lets it go on.
class TwoPods : public SharedVolume {
protected:
    TwoPods() { ask_for("", "repositories: [{git: '" + slow.url("/r.git") + "', path: r}]\n"); }
    Running start_pod(const std::string& local, const std::vector<std::string>& more = {}) {
        auto arguments = with_template("up", {"--no-launch", "--local", (dir / local).string()});
        arguments.insert(arguments.end(), more.begin(), more.end());
        return Running{command(arguments)};
    }
    // Nothing of it can be had: the step fails, once it may.
    test::Response answer() {
        if (first_.exchange(false)) asked_.set_value();
        go_on_future_.wait();
        return {.status = 404};
    }

    std::atomic<bool> first_ = true;
    std::promise<void> asked_, go_on_;
    std::shared_future<void> go_on_future_ = go_on_.get_future().share();
    test::HttpServer slow{[this](const test::Request&) { return answer(); }};
};

TEST_F(TwoPods, OneWaitsUntilTheOtherHasProvisionedTheVolume) {
    auto first = start_pod("a");
    asked_.get_future().wait();
    const auto refused = start_pod("c", {"--no-wait"}).finish();
    EXPECT_EQ(refused.status.code, 7) << refused.output;
    EXPECT_THAT(refused.output, HasSubstr("pid " + std::to_string(first.pid())));
    auto second = start_pod("b");
    const auto waits = second.wait_for([](const json& it) {
        return it.value("event", "") == "notice" && it.value("step", "") == "volume";
    });
    ASSERT_TRUE(waits);
    EXPECT_THAT(waits->value("message", ""), HasSubstr("pid " + std::to_string(first.pid())));
    go_on_.set_value();
    EXPECT_EQ(first.finish().status.code, 4);
    const auto sent = hub.store().body_bytes_sent();
    const auto end = second.finish();
    EXPECT_THAT(end.steps("step.finished"), Contains("volume"));
    EXPECT_EQ(hub.store().body_bytes_sent(), sent);
    EXPECT_EQ(sent, model_bytes.size());
}

TEST_F(TwoPods, AStopEndsTheWait) {
    auto first = start_pod("a");
    asked_.get_future().wait();
    auto second = start_pod("b");
    ASSERT_TRUE(second.wait_for("step.started"));
    second.signal(SIGTERM);
    EXPECT_EQ(second.finish().status.code, 128 + SIGTERM);
    go_on_.set_value();
    EXPECT_EQ(first.finish().status.code, 4);
}

TEST_F(TwoPods, OneThatIsKilledLetsTheOtherGoOn) {
    auto first = start_pod("a");
    asked_.get_future().wait();
    auto second = start_pod("b");
    ASSERT_TRUE(second.wait_for("step.started"));
    first.kill();
    EXPECT_TRUE(second.wait_for([](const json& it) {
        return it.value("event", "") == "step.finished" && it.value("step", "") == "volume";
    }));
    go_on_.set_value();
    EXPECT_EQ(second.finish().status.code, 4);
}

}  // namespace
}  // namespace podctl::e2e
