#include "podctl/run/secrets.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "support/set_env.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <array>
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

// No variable and no login of the machine that runs the test.
class HubSecrets : public ::testing::Test {
protected:
    static std::string hf_token() {
        const auto secrets = read_secrets(pod_with({"HF_TOKEN"}));
        const auto found = secrets.values.find("HF_TOKEN");
        return found == secrets.values.end() ? "" : found->second.reveal();
    }

    test::TempDir dir;
    test::SetEnv civitai{"CIVITAI_API_KEY", nullptr}, civitai_file{"CIVITAI_API_KEY_FILE", nullptr},
        civitai_token{"CIVITAI_TOKEN", nullptr}, civitai_api_token{"CIVITAI_API_TOKEN", nullptr},
        github{"GITHUB_TOKEN", nullptr}, hf{"HF_TOKEN", nullptr}, hf_file{"HF_TOKEN_FILE", nullptr},
        old{"HUGGING_FACE_HUB_TOKEN", nullptr}, path{"HF_TOKEN_PATH", nullptr},
        hf_home{"HF_HOME", nullptr}, cache{"XDG_CACHE_HOME", nullptr},
        endpoint{"HF_ENDPOINT", nullptr}, home{"HOME", dir.path().c_str()};
};

TEST_F(HubSecrets, NeedNoTemplate) {
    EXPECT_THAT(read_hub_secrets().missing, ElementsAre("CIVITAI_API_KEY", "HF_TOKEN"));
    const test::SetEnv key("CIVITAI_API_KEY", " civitai-key\n");
    const auto secrets = read_hub_secrets();
    EXPECT_EQ(secrets.values.at("CIVITAI_API_KEY").reveal(), "civitai-key");
    EXPECT_THAT(secrets.missing, ElementsAre("HF_TOKEN"));
}

TEST_F(HubSecrets, FindTheTokenWhereTheHubsOwnToolsKeepIt) {
    EXPECT_EQ(hf_token(), "");
    write_file_atomically(dir / ".cache/huggingface/token", "hf_default\n");
    EXPECT_EQ(hf_token(), "hf_default");
    write_file_atomically(dir / "xdg/huggingface/token", "hf_cache");
    const test::SetEnv xdg("XDG_CACHE_HOME", (dir / "xdg").c_str());
    EXPECT_EQ(hf_token(), "hf_cache");
    write_file_atomically(dir / "hub/token", "hf_home");
    const test::SetEnv hub("HF_HOME", "~/hub");
    EXPECT_EQ(hf_token(), "hf_home");
    write_file_atomically(dir / "elsewhere", "hf_path\r\n");
    const test::SetEnv at("HF_TOKEN_PATH", (dir / "elsewhere").c_str());
    EXPECT_EQ(hf_token(), "hf_path");
    // Without a template nobody has asked for a stored login.
    EXPECT_FALSE(read_hub_secrets().values.contains("HF_TOKEN"));
    const test::SetEnv older("HUGGING_FACE_HUB_TOKEN", "hf_old");
    EXPECT_EQ(hf_token(), "hf_old");
    EXPECT_EQ(read_hub_secrets().values.at("HF_TOKEN").reveal(), "hf_old");
    write_file_atomically(dir / "mounted", "hf_file");
    const test::SetEnv file("HF_TOKEN_FILE", (dir / "mounted").c_str());
    EXPECT_EQ(hf_token(), "hf_file");
    const test::SetEnv token("HF_TOKEN", "hf_env");
    EXPECT_EQ(hf_token(), "hf_env");
}

TEST_F(HubSecrets, GoByEveryNameThatTheFieldUses) {
    const test::SetEnv token("CIVITAI_TOKEN", "civitai-1");
    for (const char* name : {"CIVITAI_API_KEY", "CIVITAI_TOKEN", "CIVITAI_API_TOKEN"}) {
        const auto secrets = read_secrets(pod_with({name}));
        EXPECT_EQ(secrets.values.at(name).reveal(), "civitai-1");
        EXPECT_EQ(secrets.found_in.at(name), "$CIVITAI_TOKEN");
        EXPECT_THAT(credentials_of(secrets, {}), ::testing::SizeIs(2));
    }
    const test::SetEnv hub("HF_TOKEN", "hf_env");
    const auto older = read_secrets(pod_with({"HUGGING_FACE_HUB_TOKEN"}));
    EXPECT_EQ(credentials_of(older, {}).at(0).token.reveal(), "hf_env");
    const test::SetEnv git("GITHUB_TOKEN", "gh_env");
    EXPECT_EQ(credentials_of(read_secrets(pod_with({"GITHUB_TOKEN"})), {}).at(0).url_prefix,
              "https://github.com/");
    EXPECT_TRUE(credentials_of(read_secrets(pod_with({})), {}).empty());
}

TEST_F(HubSecrets, AreToldToThePlanWithWhoeverNamesTheirRecipient) {
    const test::SetEnv token("HF_TOKEN", "hf_env");
    auto pod = pod_with({"HF_TOKEN", "CIVITAI_API_KEY"});
    pod.models.emplace_back().source = "hf:o/r/x.safetensors";
    pod.models.emplace_back().source = "https://host.example/x.safetensors";
    const auto told = [&] { return recipients_of(pod, read_secrets(pod)); };
    EXPECT_THAT(told(),
                ElementsAre(Recipient{"HF_TOKEN", "https://huggingface.co", Recipient::By::hub}));
    pod.mirrors = {{"https://huggingface.co/", "http://127.0.0.1:9102/steal/"}};
    EXPECT_THAT(told(), ElementsAre(Recipient{"HF_TOKEN", "http://127.0.0.1:9102",
                                              Recipient::By::templates_mirror}));
    pod.users_mirrors = pod.mirrors;
    EXPECT_EQ(told().at(0).by, Recipient::By::users_mirror);
    // Of a part of the hub alone no token goes there.
    pod.mirrors = {{"https://huggingface.co/o/", "http://127.0.0.1:9102/part/"}};
    EXPECT_EQ(told().at(0).by, Recipient::By::hub);
}

TEST_F(HubSecrets, GoToTheHostThatTheirNameSpells) {
    const test::SetEnv token("GIT_TOKEN_git_my__forge_example", "t-1");
    const test::SetEnv other("GIT_TOKEN_", "t-2");
    auto pod = pod_with({"GIT_TOKEN_git_my__forge_example", "GIT_TOKEN_"});
    const auto credentials = credentials_of(read_secrets(pod), {});
    ASSERT_EQ(credentials.size(), 1u);
    EXPECT_EQ(credentials[0].url_prefix, "https://git.my-forge.example/");
    EXPECT_EQ(credentials[0].name, "GIT_TOKEN_git_my__forge_example");
    pod.repositories.push_back(
        {.git = "https://git.my-forge.example/o/r.git", .ref = {}, .path = "r"});
    EXPECT_THAT(recipients_of(pod, read_secrets(pod)),
                ElementsAre(Recipient{"GIT_TOKEN_git_my__forge_example",
                                      "https://git.my-forge.example", Recipient::By::hub}));
}

TEST_F(HubSecrets, TakeAMissingOrUnreadableLoginForNone) {
    const test::SetEnv at("HF_TOKEN_PATH", (dir / "missing").c_str());
    EXPECT_EQ(hf_token(), "");
    const test::SetEnv none("HF_TOKEN_PATH", nullptr);
    create_folders(dir / ".cache/huggingface/token");  // a folder
    EXPECT_EQ(hf_token(), "");
}

TEST_F(HubSecrets, AreFoundForATemplateThatListsTheToken) {
    const test::SetEnv older("HUGGING_FACE_HUB_TOKEN", "hf_old");
    EXPECT_EQ(read_secrets(pod_with({"HF_TOKEN"})).values.at("HF_TOKEN").reveal(), "hf_old");
    EXPECT_TRUE(read_secrets(pod_with({})).values.empty());
    write_file_atomically(dir / ".cache/huggingface/token", "hf_default");
    EXPECT_TRUE(read_secrets(pod_with({"CIVITAI_API_KEY"})).values.empty());
    // Only the hub's own token has such places.
    EXPECT_THAT(read_secrets(pod_with({"PODCTL_TEST_NONE"})).missing,
                ElementsAre("PODCTL_TEST_NONE"));
}

std::string prefix_of(const char* text) {
    const std::array sources{hub::parse_source(text)};
    const auto credentials = credentials_in(sources);
    return credentials.empty() ? "" : credentials[0].url_prefix;
}

TEST_F(HubSecrets, BindATokenInASourceToTheOriginThatRequestsGoTo) {
    EXPECT_EQ(prefix_of("http://www.civitai.com/models/1?token=abcdef"), "https://civitai.com/");
    EXPECT_EQ(prefix_of("https://civitai.red/models/1?token=abcdef"), "https://civitai.red/");
    EXPECT_EQ(prefix_of("hf.co/o/r/resolve/main/x?token=abcdef"), "https://huggingface.co/");
    EXPECT_EQ(prefix_of("https://civitai.com/models/1"), "");
    // Of any other server it is the URL's own business.
    EXPECT_EQ(prefix_of("https://host.example/x?token=abcdef"), "");
    const test::SetEnv mirror("HF_ENDPOINT", "https://mirror.example/hf");
    EXPECT_EQ(prefix_of("https://mirror.example/hf/o/r/resolve/main/x?token=abcdef"),
              "https://mirror.example/hf/");
    EXPECT_EQ(prefix_of("https://huggingface.co/o/r/resolve/main/x?token=abcdef"),
              "https://huggingface.co/");
}

TEST_F(HubSecrets, LetATokenGoToTheMirrorOfTheEndpoint) {
    const test::SetEnv token("HF_TOKEN", "hf_env");
    const test::SetEnv mirror("HF_ENDPOINT", "https://mirror.example/hf");
    const auto credentials = credentials_of(read_hub_secrets(), Mirrors{hub::endpoint_mirrors()});
    ASSERT_EQ(credentials.size(), 1u);
    EXPECT_EQ(credentials[0].url_prefix, "https://mirror.example/hf/");
}

TEST_F(HubSecrets, OfASourceReachNoOutput) {
    Secrets secrets;
    const std::array sources{hub::parse_source("https://civitai.com/models/1?token=abcdef")};
    secrets.in_sources = credentials_in(sources);
    EXPECT_EQ(redactor_of(secrets)("key abcdef"), "key ***");
}

}  // namespace
}  // namespace podctl::run
