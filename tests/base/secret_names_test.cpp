#include "podctl/base/secret_names.hpp"

#include "podctl/base/process.hpp"

#include "support/set_env.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace podctl {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(SecretNames, HaveOneOfTheWordsInThem) {
    for (const char* name : {"HF_TOKEN",
                             "db_password",
                             "CIVITAI_API_KEY",
                             "AWS_SECRET_ACCESS_KEY",
                             "SECRET",
                             "apiToken",
                             "apiKey",
                             "KEY",
                             "API_KEY_2",
                             "AWS_ACCESS_KEY_ID",
                             "RUNPOD_API_KEY",
                             "GOOGLE_APPLICATION_CREDENTIALS",
                             "MY_CREDENTIAL",
                             "PGPASSWORD",
                             "MYSQL_PWD",
                             "DB_PASS",
                             "GITHUB_PAT",
                             "OPENAI_APIKEY",
                             "HFToken",
                             "hf-token",
                             "UV_INDEX_MINE_PASSWORD"})
        EXPECT_TRUE(names_a_secret(name)) << name;
}

TEST(SecretNames, AreNotNamesThatOnlyLookAlike) {
    for (const char* name : {"TOKENIZERS_PARALLELISM",
                             "HF_TOKEN_PATH",
                             "DB_PASSWORD_FILE",
                             "MAX_TOKENS",
                             "HOME",
                             "KEYBOARD",
                             "SSH_AUTH_SOCK",
                             "PUBLIC_KEY",
                             "XDG_RUNTIME_DIR",
                             "DBUS_SESSION_BUS_ADDRESS",
                             "PWD",
                             "OLDPWD",
                             "PATH",
                             "GIT_ASKPASS",
                             "MONKEY",
                             "KEY_LENGTH",
                             "PIP_INDEX_URL",
                             "GIT_CONFIG_KEY_0",
                             "https://host.example/token/",
                             ""})
        EXPECT_FALSE(names_a_secret(name)) << name;
}

TEST(SecretNames, OfParametersIncludeSignatures) {
    for (const char* name : {"token", "X-Amz-Signature", "sig", "access_token", "Key-Pair-Id",
                             "api-key", "key", "client_secret", "Expires"})
        EXPECT_TRUE(is_secret_parameter(name)) << name;
    for (const char* name : {"modelVersionId", "type", "format", "revision", "tokens", "monkey"})
        EXPECT_FALSE(is_secret_parameter(name)) << name;
}

TEST(SecretNames, LeaveOrdinaryValuesAlone) {
    for (const char* value : {"", "1", "true", "12345", "workspace", "2026.1", "/usr/bin"})
        EXPECT_FALSE(is_worth_hiding(value)) << value;
    for (const char* value : {"hunter2hunter2", "unrel4ted", "correcthorsebattery", "rpa_platform"})
        EXPECT_TRUE(is_worth_hiding(value)) << value;
}

std::string seen_by_child(const Command& command) {
    return run_captured(command, {}).output;
}

TEST(SecretNames, AreNotHandedDownToChildren) {
    const test::SetEnv token{"PODCTL_TEST_TOKEN", "t0ken"}, plain{"PODCTL_TEST_PLAIN", "plain"};
    EXPECT_THAT(seen_by_child({.argv = {"env"}}),
                AllOf(HasSubstr("PODCTL_TEST_PLAIN=plain"), Not(HasSubstr("t0ken"))));
    EXPECT_THAT(seen_by_child({.argv = {"env"}, .environment = {{"PODCTL_TEST_TOKEN", "given"}}}),
                HasSubstr("PODCTL_TEST_TOKEN=given"));
    EXPECT_THAT(seen_by_child({.argv = {"env"}, .environment = secret_environment()}),
                HasSubstr("PODCTL_TEST_TOKEN=t0ken"));
}

TEST(SecretNames, AreAlsoThoseThatATemplateLists) {
    const test::SetEnv odd{"PODCTL_TEST_LICENCE", "0dd-value"};
    EXPECT_FALSE(is_secret_variable("PODCTL_TEST_LICENCE"));
    list_as_secrets({"PODCTL_TEST_LICENCE"});
    EXPECT_TRUE(is_secret_variable("PODCTL_TEST_LICENCE"));
    EXPECT_THAT(seen_by_child({.argv = {"env"}}), Not(HasSubstr("0dd-value")));
}

}  // namespace
}  // namespace podctl
