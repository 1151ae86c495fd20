#include "pod.hpp"

#include <sys/stat.h>
#include <unistd.h>

// A root that other users may write to.
namespace podctl::e2e {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr uid_t nobody = 65534;

class Tenant : public PodTest {
protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
        fs::create_directories(root());
        fs::permissions(root(), fs::perms::all);
        fs::create_directories(outside);
    }
    void give(const fs::path& path) const {
        ASSERT_EQ(::lchown(path.c_str(), nobody, nobody), 0) << path;
    }
    static json failure(const Finished& end) {
        const auto failed = end.of("step.failed");
        return failed.empty() ? json::object() : failed.at(0)["error"];
    }

    const fs::path outside = dir / "outside";
};

TEST_F(Tenant, CannotLeadAModelOutOfTheRoot) {
    ASSERT_TRUE(provision({"--only", "comfyui.clone"}).status.ok());
    fs::remove_all(root() / "ComfyUI/models/checkpoints");
    fs::create_directories(root() / "ComfyUI/models");
    fs::create_directory_symlink(outside, root() / "ComfyUI/models/checkpoints");
    give(root() / "ComfyUI/models/checkpoints");
    const auto end = provision();
    EXPECT_EQ(end.status.code, 4) << end.output;
    EXPECT_EQ(failure(end).value("code", ""), "conflict");
    EXPECT_THAT(failure(end).value("message", ""), HasSubstr("models/checkpoints is a link of"));
    EXPECT_TRUE(fs::is_empty(outside));
}

TEST_F(PodTest, IsNotLedOutOfTheRootByALinkThatACommitHas) {
    const fs::path outside = dir / "outside";
    fs::create_directories(outside);
    const test::GitRepository work{dir / "work/ComfyUI"};
    fs::remove_all(work.path() / "models");
    fs::create_directory_symlink(outside, work.path() / "models");
    test::GitRepository{work}.commit();
    work.publish(dir / "git/ComfyUI.git");
    const auto end = provision();
    EXPECT_NE(end.status.code, 0) << end.output;
    EXPECT_THAT(end.output, HasSubstr("a link that a commit has brought"));
    EXPECT_TRUE(fs::is_empty(outside));
    // The user's own link there is his word.
    fs::remove(root() / "ComfyUI/models");
    fs::create_directories(dir / "big/checkpoints");
    fs::create_directory_symlink(dir / "big", root() / "ComfyUI/models");
    provision();
    EXPECT_FALSE(fs::is_empty(dir / "big/checkpoints"));
}

TEST_F(Tenant, CannotGiveACheckoutThatPodctlRuns) {
    ASSERT_TRUE(provision({"--only", "comfyui.clone"}).status.ok());
    give(root() / "ComfyUI/.git");
    give(root() / "ComfyUI");
    for (int i = 0; i < 2; ++i) {
        const auto end = provision();
        EXPECT_EQ(end.status.code, 4) << end.output;
        EXPECT_THAT(failure(end).value("message", ""), HasSubstr("ComfyUI belongs to"));
    }
    // A copy that kept its owners, where nobody else could have put it.
    fs::permissions(root(), fs::perms{0755});
    EXPECT_TRUE(provision({"--only", "comfyui.clone"}).status.ok());
    fs::permissions(root(), fs::perms::all);
    EXPECT_TRUE(provision({"--only", "comfyui.clone", "--force"}).status.ok());
    EXPECT_EQ(fs::exists(root() / "ComfyUI/main.py"), true);
}

// The sticky bit keeps others from renaming, not from adding.
TEST_F(Tenant, CannotGiveACheckoutInAStickyRoot) {
    ASSERT_TRUE(provision({"--only", "comfyui.clone"}).status.ok());
    give(root() / "ComfyUI/.git");
    give(root() / "ComfyUI");
    ASSERT_EQ(::chmod(root().c_str(), 01777), 0);
    const auto end = provision({"--only", "comfyui.clone"});
    EXPECT_EQ(end.status.code, 4) << end.output;
    EXPECT_THAT(failure(end).value("message", ""), HasSubstr("ComfyUI belongs to"));
}

TEST_F(Tenant, CannotGiveAFileOfACheckoutThatGitReadsOrPodctlRuns) {
    ASSERT_TRUE(provision({"--only", "comfyui.clone"}).status.ok());
    for (const auto* part : {".git/config", ".git/HEAD", "main.py", "requirements.txt"}) {
        give(root() / "ComfyUI" / part);
        const auto end = provision({"--only", "comfyui.clone"});
        EXPECT_EQ(end.status.code, 4) << end.output;
        EXPECT_THAT(failure(end).value("message", ""),
                    HasSubstr("ComfyUI/" + std::string{part} + " belongs to"));
        ASSERT_EQ(::lchown((root() / "ComfyUI" / part).c_str(), 0, 0), 0);
    }
    // Where data is kept others may have their own.
    fs::create_directories(root() / "ComfyUI/output");
    give(root() / "ComfyUI/output");
    EXPECT_TRUE(provision({"--only", "comfyui.clone"}).status.ok());
}

TEST_F(Tenant, CannotGiveThePackThatIsCopied) {
    write_file_atomically(root() / "tenant/mine/__init__.py", "NODE_CLASS_MAPPINGS = {}\n");
    write_template("custom_nodes: [{path: tenant/mine}]\n");
    const std::vector<std::string> copy{"--only", "comfyui.clone", "--only", "node:mine"};
    const auto copied = root() / "ComfyUI/custom_nodes/mine/__init__.py";
    for (const auto* part : {"tenant/mine", "tenant/mine/__init__.py"}) {
        give(root() / part);
        auto by_force = copy;
        by_force.emplace_back("--force");
        for (const auto& arguments : {copy, by_force}) {
            const auto end = provision(arguments);
            EXPECT_EQ(end.status.code, 4) << end.output;
            EXPECT_THAT(failure(end).value("message", ""),
                        HasSubstr(std::string{part} + " belongs to"));
            EXPECT_THAT(failure(end).value("hint", ""), HasSubstr("custom_nodes[].path"));
        }
        EXPECT_FALSE(fs::exists(copied));
        EXPECT_TRUE(fs::exists(root() / part));
        ASSERT_EQ(::lchown((root() / part).c_str(), 0, 0), 0);
    }
    EXPECT_TRUE(provision(copy).status.ok());
    EXPECT_TRUE(fs::exists(copied));
}

TEST_F(Tenant, CannotGiveTheRequirementsOfTheTemplate) {
    write_file_atomically(root() / "more.txt", "");
    give(root() / "more.txt");
    const auto end = provision({"--set", "python.requirements=[more.txt]"});
    EXPECT_EQ(end.status.code, 4) << end.output;
    EXPECT_THAT(failure(end).value("message", ""), HasSubstr("more.txt belongs to"));
}

TEST_F(Tenant, WhoOwnsAFolderOnTheWayToAModelIsToldOnce) {
    ASSERT_TRUE(provision({"--only", "comfyui.clone"}).status.ok());
    fs::create_directories(root() / "ComfyUI/models/checkpoints");
    give(root() / "ComfyUI/models/checkpoints");
    for (int i = 0; i < 2; ++i) {
        const auto end = provision();
        EXPECT_TRUE(end.status.ok()) << end.output;
        std::vector<std::string> told;
        for (const auto& notice : end.of("notice")) {
            auto message = notice.value("message", "");
            if (message.find("can exchange") != message.npos) told.push_back(std::move(message));
        }
        ASSERT_THAT(told, SizeIs(1)) << end.output;
        EXPECT_THAT(told.at(0), HasSubstr("models/checkpoints belongs to"));
    }
}

TEST_F(Tenant, CannotGiveTheStateThatPodctlReads) {
    fs::create_directories(root() / ".podctl/logs");
    write_file_atomically(root() / ".podctl/journal.jsonl", "theirs");
    give(root() / ".podctl");
    const auto end = provision({"--only", "comfyui.clone"});
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_THAT(end.output, HasSubstr(".podctl belongs to"));
    struct stat status {};
    ASSERT_EQ(::lstat((root() / ".podctl").c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, ::geteuid());
    EXPECT_EQ(status.st_mode & 07777u, 0700u);
    EXPECT_THAT(run("plan", {"--only", "comfyui.clone"}).of("notice"), SizeIs(0));
}

TEST_F(Tenant, CannotHoldThePodByItsLock) {
    ASSERT_TRUE(provision({"--only", "comfyui.clone"}).status.ok());
    for (const auto& entry : fs::directory_iterator{root() / ".podctl"}) {
        if (!entry.is_regular_file()) continue;
        EXPECT_EQ(entry.status().permissions(), fs::perms{0600}) << entry.path();
    }
    EXPECT_EQ(fs::status(root() / ".podctl").permissions(), fs::perms{0700});
}

}  // namespace
}  // namespace podctl::e2e
