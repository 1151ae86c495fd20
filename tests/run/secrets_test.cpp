#include "podctl/run/secrets.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <cstdlib>

namespace podctl::run {
namespace {

using ::testing::ElementsAre;

tmpl::Template pod_with(std::vector<std::string> secrets) {
    tmpl::Template pod;
    pod.secrets = std::move(secrets);
    return pod;
}

TEST(Secrets, ComeFromTheEnvironmentOrAFile) {
    const test::TempDir dir;
    write_file_atomically(dir / "token", "from-file\n");
    ::setenv("PODCTL_TEST_A", "from-environment", 1);
    ::setenv("PODCTL_TEST_B_FILE", (dir / "token").c_str(), 1);
    const auto secrets =
        read_secrets(pod_with({"PODCTL_TEST_A", "PODCTL_TEST_B", "PODCTL_TEST_C"}));
    EXPECT_EQ(secrets.values.at("PODCTL_TEST_A").reveal(), "from-environment");
    EXPECT_EQ(secrets.values.at("PODCTL_TEST_B").reveal(), "from-file");
    EXPECT_THAT(secrets.missing, ElementsAre("PODCTL_TEST_C"));
}

TEST(Secrets, AFileThatCannotBeReadIsAnErrorThatNamesTheSecret) {
    ::setenv("PODCTL_TEST_D_FILE", "/nonexistent/token", 1);
    try {
        read_secrets(pod_with({"PODCTL_TEST_D"}));
        FAIL() << "read";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::preflight);
        EXPECT_THAT(error.message(), ::testing::HasSubstr("PODCTL_TEST_D"));
    }
}

TEST(Secrets, ATokenMayGoToItsHubOrToTheMirrorOfThatHub) {
    Secrets secrets;
    secrets.values.emplace("HF_TOKEN", Secret{"t"});
    const auto direct = credentials_of(secrets, {});
    ASSERT_EQ(direct.size(), 1u);
    EXPECT_EQ(direct[0].url_prefix, "https://huggingface.co/");
    const auto mirrored =
        credentials_of(secrets, Mirrors{{{"https://huggingface.co/", "https://hub.example/hf/"}}});
    EXPECT_EQ(mirrored[0].url_prefix, "https://hub.example/hf/");
}

TEST(Secrets, ATokenInAModelsUrlIsBoundToThatUrlsOrigin) {
    auto pod = pod_with({});
    pod.models.emplace_back();
    pod.models[0].source = "https://civitai.com/api/download/models/11?token=abcdef";
    pod.models[0].to = "vae";
    const auto credentials = credentials_of(read_secrets(pod), {});
    ASSERT_EQ(credentials.size(), 1u);
    EXPECT_EQ(credentials[0].url_prefix, "https://civitai.com/");
    EXPECT_EQ(credentials[0].token.reveal(), "abcdef");
}

}  // namespace
}  // namespace podctl::run
