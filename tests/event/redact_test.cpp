#include "podctl/event/redact.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace podctl {
namespace {

using testing::HasSubstr;
using testing::Not;

Redactor knowing(const std::string& value) {
    return Redactor{{Secret{value}}};
}

TEST(Redactor, HidesASecretWhereverItStands) {
    EXPECT_EQ(knowing("s3cret!")("Bearer s3cret!, again s3cret!"), "Bearer ***, again ***");
}

TEST(Redactor, HidesTheEncodedFormOfASecret) {
    const auto redact = knowing("a/b=c d");
    EXPECT_EQ(redact("q=a%2Fb%3Dc%20d;"), "q=***;");
    EXPECT_EQ(redact("q=a%2fb%3dc%20d;"), "q=***;");
}

TEST(Redactor, HidesTheEscapedFormsOfASecret) {
    const auto redact = knowing("odd\"secret\\with/quote");
    EXPECT_EQ(redact(R"({"a":"odd\"secret\\with/quote"})"), R"({"a":"***"})");
    EXPECT_EQ(redact(R"({"a":"odd\"secret\\with\/quote"})"), R"({"a":"***"})");
}

TEST(Redactor, HidesASecretInBase64WhereverItBegins) {
    // printf %s TEXT | base64
    const auto redact = knowing("s3cretT0ken!");
    EXPECT_EQ(redact("czNjcmV0VDBrZW4h"), "***");
    EXPECT_THAT(redact("dTpzM2NyZXRUMGtlbiE="), Not(HasSubstr("M2NyZXRUMGtlbi")));  // u:
    EXPECT_THAT(redact("dXNlcjpzM2NyZXRUMGtlbiE="), Not(HasSubstr("NyZXRUMGtl")));  // user:
}

TEST(Redactor, HidesTheLinesOfAKey) {
    const auto redact =
        knowing("-----BEGIN KEY-----\nQUJDREVGR0g\nSUpLTE1OT1A\n-----END KEY-----\n");
    EXPECT_EQ(redact("> QUJDREVGR0g"), "> ***");
    EXPECT_EQ(redact("-----BEGIN KEY-----"), "-----BEGIN KEY-----");
}

TEST(Redactor, LeavesWordsAloneThatAreNoSecrets) {
    const Redactor redact{{Secret{"true"}, Secret{"none"}}};
    EXPECT_EQ(redact("it is true, none is left"), "it is true, none is left");
}

TEST(Redactor, HidesATokenInAFragment) {
    EXPECT_EQ(Redactor{}("https://h/cb#access_token=abc&x=1 ok"), "https://h/cb#*** ok");
}

TEST(Redactor, HidesTheLongerOfTwoSecretsWhole) {
    const Redactor redact{{Secret{"abcd"}, Secret{"abcdefgh"}}};
    EXPECT_EQ(redact("x abcdefgh y abcd"), "x *** y ***");
}

TEST(Redactor, LeavesTextAloneForEmptyAndTinySecrets) {
    const Redactor redact{{Secret{""}, Secret{"abc"}}};
    EXPECT_EQ(redact("abc and nothing"), "abc and nothing");
}

TEST(Redactor, HidesTheQueryOfAPresignedUrl) {
    EXPECT_EQ(Redactor{}("GET https://s3.example/k?X-Amz-Algorithm=A&X-Amz-Signature=0f 403"),
              "GET https://s3.example/k?*** 403");
    EXPECT_EQ(Redactor{}("https://cdn.example/k?Expires=1&Policy=e&Signature=s~&Key-Pair-Id=K"),
              "https://cdn.example/k?***");
    EXPECT_EQ(Redactor{}("https://blob.example/k?sv=2022&sig=abc%3D#f"),
              "https://blob.example/k?***#f");
    EXPECT_EQ(Redactor{}("(see https://hub.example/api?token=abc)."),
              "(see https://hub.example/api?***).");
}

TEST(Redactor, HidesABareRequestTarget) {
    EXPECT_EQ(Redactor{}("url: /b/k?X-Amz-Credential=c&x-amz-signature=s (Caused by …)"),
              "url: /b/k?*** (Caused by …)");
}

TEST(Redactor, HidesASignatureBehindOddCharacters) {
    const char* text = "https://h/k?d=attachment;f=''a''&X-Amz-Signature=deadbeef";
    EXPECT_THAT(Redactor{}(text), Not(HasSubstr("deadbeef")));
    const char* with_quotes = "https://h/k?d=f=\"a\"&X-Amz-Signature=deadbeef";
    EXPECT_THAT(Redactor{}(with_quotes), Not(HasSubstr("deadbeef")));
}

TEST(Redactor, HidesASignatureInAUrlInAUrl) {
    EXPECT_EQ(Redactor{}("https://p/?to=https%3A%2F%2Fs3%2Fk%3FX-Amz-Signature%3Ddeadbeef"),
              "https://p/?***");
}

TEST(Redactor, LeavesAnOrdinaryQueryAlone) {
    for (const char* text : {"https://hub.example/models/1?modelVersionId=610541&type=Model",
                             "what? a token & more", "a && b", "https://h/?", "tokens?total=3"})
        EXPECT_EQ(Redactor{}(text), text);
}

TEST(Redactor, HidesThePasswordOfAUrl) {
    EXPECT_EQ(Redactor{}("clone https://me:pw@git.example/r.git now"),
              "clone https://me:***@git.example/r.git now");
    EXPECT_EQ(Redactor{}("https://ghp_abc@git.example/r"), "https://***@git.example/r");
    EXPECT_EQ(Redactor{}("HTTP://a:p@ss@h/ http://b:q@h/"), "HTTP://a:***@h/ http://b:***@h/");
}

TEST(Redactor, LeavesAReferenceToAVariableAlone) {
    EXPECT_EQ(Redactor{}("https://me:${PW}@h/ https://${T}@h/"),
              "https://me:${PW}@h/ https://${T}@h/");
}

TEST(Redactor, LeavesAUserNameAlone) {
    EXPECT_EQ(Redactor{}("ssh://git@git.example/r"), "ssh://git@git.example/r");
    EXPECT_EQ(Redactor{}("https://h/@scope/p me@h"), "https://h/@scope/p me@h");
}

}  // namespace
}  // namespace podctl
