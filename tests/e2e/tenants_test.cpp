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
