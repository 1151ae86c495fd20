#include "pod.hpp"
#include "support/wheels.hpp"

#include <thread>

// Environments from outside: built beside the one that works, swapped in, and given back.
namespace podctl::e2e {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class EnvironmentOfAPod : public PodTest {
protected:
    EnvironmentOfAPod() {
        test::write_index(
            dir / "index",
            {{"pypng", "0.20220715.0", {}, {{"png.py", ""}}},  // stand-ins, but for their names
             {"humanize", "4.9.0"},
             {"more", "1.0", {}, many_files()},
             // Ends every Python that starts with it. A sitecustomize.py would not: distributions
             // have one of their own, which is found first.
             {"breaker", "1.0", {}, {{"breaker.pth", "import os; os._exit(3)\n"}}}});
        environment = {{"PIP_CONFIG_FILE", "/dev/null"}};  // the machine's has further indexes
        ask_for("");
    }

    // Enough of them for an install to be met in its middle.
    static std::map<std::string, std::string> many_files() {
        std::map<std::string, std::string> files;
        for (int i = 0; i < 2000; ++i)
            files["more_files/" + std::to_string(i) + ".py"] = "";
        return files;
    }

    // A template with one more requirement. Packages come from an index of this test.
    void ask_for(const std::string& requirement) {
        write_template("custom_nodes: []\n", "index_url: \"" + index.url("/") +
                                                 "\", requirements: [" + requirement + "]");
    }
    fs::path python() const { return root() / "venv/bin/python"; }
    bool has(const std::string& module) const {
        return run_command({.argv = {python().string(), "-c", "import " + module}}, {}).ok();
    }
    std::size_t generations() const {
        std::size_t found = 0;
        for (const auto& entry : fs::directory_iterator{root() / ".venv.podctl"})
            found += entry.is_directory() && !entry.is_symlink() ? 1 : 0;
        return found;
    }
    // Nobody tells when the last file of the old one is gone.
    bool one_is_left() const {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{60};
        while (generations() > 1 && std::chrono::steady_clock::now() < until)
            std::this_thread::yield();
        return generations() == 1;
    }

    test::HttpServer index{test::serve_index(dir / "index")};
};

TEST_F(EnvironmentOfAPod, KeepsTheOldOneUntilComfyUiHasAnsweredWithTheNewOne) {
    ASSERT_TRUE(provision().status.ok());
    const auto first = fs::read_symlink(root() / "venv");
    ask_for("more");
    const auto end = provision();
    ASSERT_TRUE(end.status.ok()) << end.output;
    EXPECT_TRUE(has("more"));
    EXPECT_NE(fs::read_symlink(root() / "venv"), first);
    EXPECT_EQ(generations(), 2U);

    auto pod = start("up");
    ASSERT_TRUE(pod.wait_for("service.ready"));
    EXPECT_TRUE(one_is_left());
    pod.signal(SIGTERM);
    EXPECT_EQ(pod.finish().status.code, 128 + SIGTERM);
    EXPECT_TRUE(has("more"));
}

TEST_F(EnvironmentOfAPod, GoesBackToTheOneThatWorkedWhenComfyUiDoesNotStart) {
    ASSERT_TRUE(provision().status.ok());
    ask_for("breaker");
    const auto end = run("up");
    EXPECT_EQ(end.status.code, 5) << end.output;
    EXPECT_THAT(end.of("step.failed").at(0)["error"].value("hint", ""),
                HasSubstr("undo the change of the requirements"));
    EXPECT_TRUE(has("humanize"));
    EXPECT_FALSE(has("breaker"));

    // The change undone, there is nothing to resolve and nothing to install.
    ask_for("");
    const auto asked = index.requests().size();
    const auto again = provision();
    EXPECT_TRUE(again.status.ok()) << again.output;
    EXPECT_THAT(again.steps("step.finished"), Not(Contains("python.install")));
    EXPECT_EQ(index.requests().size(), asked);
}

TEST_F(EnvironmentOfAPod, IsNotHarmedByAKillWhileTheNextOneIsInstalled) {
    ASSERT_TRUE(provision().status.ok());
    ask_for("more");
    auto pod = start("up", {"--no-launch"});
    const fs::path next = root() / ".venv.podctl/2";
    const auto until = std::chrono::steady_clock::now() + std::chrono::minutes{2};
    while (!fs::exists(next / "lib") && std::chrono::steady_clock::now() < until)
        std::this_thread::yield();
    ASSERT_TRUE(fs::exists(next / "lib"));
    pod.kill();
    pod.finish();
    // The old one or, where the kill came late, the new one; nothing between.
    EXPECT_TRUE(has("humanize"));
    EXPECT_EQ(has("more"), fs::equivalent(root() / "venv", next));

    const auto end = provision();
    ASSERT_TRUE(end.status.ok()) << end.output;
    EXPECT_TRUE(has("more"));
    EXPECT_TRUE(has("humanize"));
    EXPECT_EQ(run("plan").status.code, 0);
}

TEST_F(EnvironmentOfAPod, HasPipForAnInstallScriptAlthoughItInheritsNothingAndNoIndexHasIt) {
    write_file_atomically(root() / "mine/__init__.py", "NODE_CLASS_MAPPINGS = {}\n");
    write_file_atomically(root() / "mine/install.py",
                          "import subprocess, sys\n"
                          "subprocess.check_call([sys.executable, '-m', 'pip', '--version'])\n");
    auto text = read_file(dir / "pod.yaml");
    const std::string from = "custom_nodes: []";
    text.replace(text.find(from), from.size(), "custom_nodes: [{path: mine}]");
    write_file_atomically(dir / "pod.yaml", text);
    const auto end = provision();
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_EQ(run("plan").status.code, 0);
}

TEST_F(EnvironmentOfAPod, IsListedByPlanWithWhoAsksForEachPackage) {
    ask_for("more");
    ASSERT_TRUE(provision().status.ok());
    const auto packages = run("plan", {"-v"}).of("plan.package");
    const auto found = std::find_if(packages.begin(), packages.end(), [](const json& it) {
        return it.value("requirement", "") == "humanize==4.9.0";
    });
    ASSERT_NE(found, packages.end()) << json(packages).dump();
    EXPECT_THAT(found->at("asked_by").dump(), HasSubstr("ComfyUI/requirements.txt:2"));
    EXPECT_THAT(found->at("hashes").dump(), HasSubstr("sha256:"));
    EXPECT_EQ(found->value("step", ""), "python.install");
    EXPECT_TRUE(run("plan").of("plan.package").empty());
}

TEST_F(EnvironmentOfAPod, ThatTheUserRemovedIsMadeAnew) {
    ASSERT_TRUE(provision().status.ok());
    fs::remove(root() / "venv");
    const auto end = provision();
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_TRUE(has("humanize"));
    EXPECT_EQ(generations(), 1U);
}

}  // namespace
}  // namespace podctl::e2e
