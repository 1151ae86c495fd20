#include "pod.hpp"

// The built binary on machines with GPUs: the loader finds a libnvidia-ml.so.1 that stands in for
// them.
namespace podctl::e2e {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class Gpu : public PodTest {
protected:
    Finished provision_on(const char* machine, std::vector<std::string> more) const {
        more.emplace_back("--no-launch");
        auto made = command(with_template("up", more));
        made.environment["LD_LIBRARY_PATH"] = PODCTL_FAKE_NVML_FOLDER;
        made.environment["PODCTL_FAKE_NVML"] = machine;
        return Running{made}.finish();
    }
    Finished preflight_on(const char* machine) const {
        return provision_on(machine, {"--only", "preflight"});
    }
};

TEST_F(Gpu, ThatIsTooSmallForTheTemplateFailsPreflight) {
    write_template("pod: {gpu: {count: 1, min_vram: 40GB}}\n");
    const auto small = preflight_on("3060");
    EXPECT_EQ(small.status.code, 3) << small.output;
    ASSERT_THAT(small.of("step.failed"), ::testing::SizeIs(1)) << small.output;
    EXPECT_THAT(small.of("step.failed")[0].dump(),
                AllOf(HasSubstr("NVIDIA GeForce RTX 3060"), HasSubstr("40.0 GB")));

    const auto large = preflight_on("h100");
    EXPECT_EQ(large.status.code, 0) << large.output;
    EXPECT_THAT(large.steps("step.finished"), ::testing::ElementsAre("preflight"));
}

TEST_F(Gpu, OfAnOlderDriverTakesTorchWithANotice) {
    const auto end = provision_on("old-driver", {"--set", "python.torch=auto"});
    EXPECT_EQ(end.status.code, 0) << end.output;
    const auto notices = end.of("notice");
    ASSERT_THAT(notices, ::testing::SizeIs(1)) << end.output;
    EXPECT_EQ(notices[0].value("step", ""), "preflight");
    EXPECT_THAT(notices[0].dump(), HasSubstr("470.182.03 runs CUDA 11.4"));
}

TEST_F(Gpu, ThatNoTorchRunsOnWithItsDriverFailsPreflight) {
    const auto end = provision_on("b200-old-driver", {"--set", "python.torch=auto"});
    EXPECT_EQ(end.status.code, 3) << end.output;
    EXPECT_THAT(end.steps("step.failed"), ::testing::ElementsAre("preflight"));
    EXPECT_THAT(end.output, HasSubstr("NVIDIA B200 (compute capability 10.0) needs PyTorch"));
}

}  // namespace
}  // namespace podctl::e2e
