#include "podctl/base/names.hpp"

#include "pod.hpp"

#include <sys/stat.h>

#include <fstream>

// What somebody has changed, added or put in podctl's way.
namespace podctl::e2e {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class UsersChanges : public PodTest {};

TEST_F(UsersChanges, AModelThatAUserReplacedIsKeptAndToldUntilForce) {
    ASSERT_TRUE(provision().status.ok());
    write_file_atomically(model(), "mine");
    const auto kept = provision();
    EXPECT_TRUE(kept.status.ok()) << kept.output;
    EXPECT_EQ(read_file(model()), "mine");
    EXPECT_THAT(kept.of("notice"),
                Contains(::testing::ResultOf([](const json& it) { return it.value("message", ""); },
                                             HasSubstr("changed by hand"))));
    EXPECT_TRUE(provision({"--force"}).status.ok());
    EXPECT_EQ(read_file(model()), model_bytes);
    bool saved = false;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator{root() / ".podctl/replaced"}) {
        saved |= entry.is_regular_file() && read_file(entry.path()) == "mine";
    }
    EXPECT_TRUE(saved);
}

TEST_F(UsersChanges, AFileThatPodctlDoesNotKnowIsNotOverwritten) {
    write_template("");
    std::filesystem::create_directories(root());
    ASSERT_TRUE(provision({"--only", "comfyui.clone"}).status.ok());
    write_file_atomically(model(), "somebody's");
    const auto end = provision();
    EXPECT_EQ(end.status.code, 4);
    EXPECT_EQ(read_file(model()), "somebody's");
    EXPECT_EQ(end.of("step.failed").at(0)["error"].value("code", ""), "conflict");
}

TEST_F(UsersChanges, AnUnfinishedScriptsFileIsAdoptedWhenItIsTheRightOne) {
    ASSERT_TRUE(provision({"--only", "comfyui.clone"}).status.ok());
    write_file_atomically(model(), model_bytes);
    const auto end = provision();
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_EQ(hub.store().body_bytes_sent(), 0u);
}

TEST_F(UsersChanges, ACopiedPackFollowsItsSourceUntilAUserChangesTheCopy) {
    write_file_atomically(root() / "mine/__init__.py", "NODE_CLASS_MAPPINGS = {}\n");
    write_template("custom_nodes: [{path: mine}]\n");
    ASSERT_TRUE(provision().status.ok());
    write_file_atomically(root() / "mine/__init__.py", "NODE_CLASS_MAPPINGS = {}  # second\n");
    ASSERT_TRUE(provision().status.ok());
    const auto copy = root() / "ComfyUI/custom_nodes/mine/__init__.py";
    EXPECT_THAT(read_file(copy), HasSubstr("second"));
    write_file_atomically(copy, "NODE_CLASS_MAPPINGS = {}  # by hand\n");
    write_file_atomically(root() / "mine/__init__.py", "NODE_CLASS_MAPPINGS = {}  # third\n");
    EXPECT_TRUE(provision().status.ok());
    EXPECT_THAT(read_file(copy), HasSubstr("by hand"));
}

TEST_F(UsersChanges, AFileThatAUserChangedInACheckoutIsKeptAndTold) {
    ASSERT_TRUE(provision().status.ok());
    const auto init = root() / "ComfyUI/custom_nodes/pack/__init__.py";
    write_file_atomically(init, "NODE_CLASS_MAPPINGS = {}  # mine\n");
    const auto end = provision();
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_THAT(read_file(init), HasSubstr("mine"));
    EXPECT_THAT(end.steps("notice"), Contains("node:pack"));
    auto pod = start("up");
    EXPECT_TRUE(pod.wait_for([](const json& it) {
        return it.value("event", "") == "notice" && it.value("step", "") == "node:pack";
    }));
    pod.signal(SIGTERM);
    pod.finish();
}

TEST_F(UsersChanges, ABranchMovesOnlyWithUpdate) {
    ASSERT_TRUE(provision().status.ok());
    publish_pack("pack", "NODE_CLASS_MAPPINGS = {'Newer': type('Newer', (), {})}\n");
    const auto init = root() / "ComfyUI/custom_nodes/pack/__init__.py";
    ASSERT_TRUE(provision().status.ok());
    EXPECT_THAT(read_file(init), HasSubstr("PackNode"));
    const auto end = provision({"--update"});
    ASSERT_TRUE(end.status.ok()) << end.output;
    EXPECT_THAT(read_file(init), HasSubstr("Newer"));
}

TEST_F(UsersChanges, AnEditedPackIsUpdatedUnlessUpstreamChangesTheSameFile) {
    ASSERT_TRUE(provision().status.ok());
    const auto pack = root() / "ComfyUI/custom_nodes/pack";
    write_file_atomically(pack / "__init__.py", "mine");
    ASSERT_TRUE(provision({"--update"}).status.ok());
    EXPECT_EQ(read_file(pack / "__init__.py"), "mine");
    publish_pack("pack", "NODE_CLASS_MAPPINGS = {}\n");
    const auto end = provision({"--update"});
    EXPECT_EQ(end.status.code, 4);
    const auto error = end.of("step.failed").at(0)["error"];
    EXPECT_EQ(error.value("code", ""), "conflict");
    EXPECT_THAT(error.value("message", ""), HasSubstr("__init__.py"));
    EXPECT_EQ(read_file(pack / "__init__.py"), "mine");
}

TEST_F(UsersChanges, ACopiedPackIsKnownAgainAfterTheJournalWasLost) {
    write_file_atomically(root() / "mine/__init__.py", "one");
    write_template("custom_nodes: [{path: mine}]\n");
    ASSERT_TRUE(provision().status.ok());
    std::filesystem::remove(root() / ".podctl/journal.jsonl");
    ASSERT_TRUE(provision().status.ok());
    write_file_atomically(root() / "mine/__init__.py", "other");
    // Left by a kill in the middle of a copy.
    const auto copy = root() / "ComfyUI/custom_nodes/mine";
    write_file_atomically(copy / ".__init__.py.podctl-aB3dE6", "ot");
    const auto end = provision();
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_EQ(read_file(copy / "__init__.py"), "other");
    EXPECT_FALSE(std::filesystem::exists(copy / ".__init__.py.podctl-aB3dE6"));
}

TEST_F(UsersChanges, AModelOfAnotherTimeIsStillPodctlsToReplace) {
    test::HttpServer server(
        [](const test::Request& got) { return test::serve_bytes(got, "weights of " + got.path); });
    const auto from = [&](const std::string& path) {
        return provision({"--set", "models.1={source: '" + server.url(path) +
                                       "', to: loras, name: a.bin, pickle: allow}"});
    };
    ASSERT_TRUE(from("/one").status.ok());
    const auto file = root() / "ComfyUI/models/loras/a.bin";
    // As after a copy of the volume.
    std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now());
    const auto end = from("/two");
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_EQ(read_file(file), "weights of /two");
}

TEST_F(UsersChanges, ForceReplacesAChangedCheckoutAndKeepsWhatTheRepositoryDoesNotHave) {
    ASSERT_TRUE(provision().status.ok());
    const auto server = root() / "ComfyUI/server.py";
    const auto original = read_file(server);
    write_file_atomically(server, "broken\n");
    write_file_atomically(root() / "ComfyUI/output/picture.png", "mine");
    const auto end = provision({"--force"});
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_EQ(read_file(server), original);
    EXPECT_EQ(read_file(root() / "ComfyUI/output/picture.png"), "mine");
    EXPECT_EQ(read_file(model()), model_bytes);
    EXPECT_EQ(run("plan").status.code, 0);
}

TEST_F(UsersChanges, APackageThatSomebodyRemovedIsToldAndComesBack) {
    ASSERT_TRUE(provision().status.ok());
    const auto remove_it = [&] {
        std::vector<std::filesystem::path> gone;
        for (const auto& entry :
             std::filesystem::recursive_directory_iterator{root() / "venv/lib"}) {
            const auto name = entry.path().filename().string();
            if (name.starts_with("humanize")) gone.push_back(entry.path());
        }
        ASSERT_THAT(gone, Not(IsEmpty()));
        for (const auto& path : gone)
            std::filesystem::remove_all(path);
    };
    remove_it();
    const auto kept = run("plan", {"--set", "python.drift=keep"});
    EXPECT_EQ(kept.status.code, 0) << kept.output;
    EXPECT_THAT(kept.output, HasSubstr("kept by python.drift: humanize is gone"));
    const auto plan = run("plan");
    EXPECT_EQ(plan.status.code, 10) << plan.output;
    EXPECT_THAT(plan.output, HasSubstr("humanize is gone: to be made anew"));
    ASSERT_TRUE(provision().status.ok());
    const auto python = (root() / "venv/bin/python").string();
    EXPECT_TRUE(run_command({.argv = {python, "-c", "import humanize"}}, {}).ok());
    EXPECT_EQ(run("plan").status.code, 0);
}

TEST_F(UsersChanges, ALinkThatLeavesAPackIsNotFollowed) {
    write_file_atomically(root() / "mine/__init__.py", "NODE_CLASS_MAPPINGS = {}\n");
    write_file_atomically(root() / "secret", "secret");
    std::filesystem::create_symlink("__init__.py", root() / "mine/inside.py");
    std::filesystem::create_symlink("../secret", root() / "mine/outside");
    std::filesystem::create_symlink("/etc", root() / "mine/etc");
    write_template("custom_nodes: [{path: mine}]\n");
    ASSERT_TRUE(provision().status.ok());
    const auto copy = root() / "ComfyUI/custom_nodes/mine";
    EXPECT_EQ(std::filesystem::read_symlink(copy / "inside.py"), "__init__.py");
    EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(copy / "outside")));
    EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(copy / "etc")));
    EXPECT_EQ(run("plan").status.code, 0);
}

TEST_F(UsersChanges, ALinkToNothingInAModelsPlaceIsNotOverwritten) {
    ASSERT_TRUE(provision({"--only", "comfyui.clone"}).status.ok());
    std::filesystem::create_directories(model().parent_path());
    std::filesystem::create_symlink("/nonexistent/volume/m.safetensors", model());
    EXPECT_EQ(provision().status.code, 4);
    EXPECT_EQ(std::filesystem::read_symlink(model()), "/nonexistent/volume/m.safetensors");
}
}  // namespace
}  // namespace podctl::e2e
