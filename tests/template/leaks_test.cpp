#include "leaks.hpp"

#include "support.hpp"

namespace podctl::tmpl::test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const std::string key32 = "0123456789abcdef0123456789abcdef";
// Put together here, so that no scanner takes this file for a leak.
const std::string hf = std::string("hf_") + "AbCdEfGhIjKlMnOpQrStUvWxYz012345";

TEST(Leaks, KnowsTheTokensOfHubsAndClouds) {
    for (const std::string& token :
         {hf, std::string("ghp_") + "abcdefghijklmnopqrst0123456789ABCDEF",
          std::string("github_pat_") + "11ABCDEFG0abcdefghijkl_mnop",
          std::string("sk-") + "proj-abcdefghij0123456789",
          std::string("AKIA") + "IOSFODNN7EXAMPLE",
          std::string("glpat-") + "abcdefghij0123456789"}) {
        EXPECT_TRUE(looks_secret(token)) << token;
        EXPECT_EQ(conceal("a " + token + " b"), "a *** b");
    }
}

TEST(Leaks, KnowsSecretsInUrlsAndCommandLines) {
    EXPECT_EQ(conceal("https://c.example/m?token=" + key32 + "&x=1"),
              "https://c.example/m?token=***&x=1");
    EXPECT_EQ(conceal("https://c.example/m?key=" + key32), "https://c.example/m?key=***");
    EXPECT_EQ(conceal("https://user:pass@h.example/x"), "https://user:***@h.example/x");
    EXPECT_EQ(conceal("https://abcdef0123456789abcdef@h.example/x"), "https://***@h.example/x");
    EXPECT_EQ(conceal("app --api-key abcdefgh1234 --x"), "app --api-key *** --x");
    EXPECT_EQ(conceal("app --api-key=abcdefgh1234"), "app --api-key=***");
    EXPECT_EQ(conceal("Authorization: Bearer abcdefgh12345678"), "Authorization: Bearer ***");
    EXPECT_TRUE(looks_secret(std::string("-----BEGIN OPENSSH ") + "PRIVATE KEY-----\nabc"));
}

TEST(Leaks, LeavesWhatIsNoSecretAlone) {
    for (const std::string& text :
         {std::string("02b3618e36d803784166660520098089a81388e61a93ef8002aa79a5b1c546e1"),
          std::string("57b32dfee076092ad2930c71fd6d439c2c3b1820"), key32, std::string("v0.3.64"),
          std::string(
              "hf:InstantX/InstantID@57b32dfee076092ad2930c71fd6d439c2c3b1820/ip-adapter.bin"),
          std::string("ssh://git@github.com/a/b.git"), std::string("git@github.com:a/b.git"),
          std::string("https://${USER}:${PASS}@h.example/"),
          std::string("https://h.example/?token=${T}"), std::string("--ServerApp.token=''"),
          std::string("--token $TOKEN"), std::string("--max-token=4096"),
          std::string("task-management-of-things-1"),
          std::string("https://civitai.com/models/1?modelVersionId=610541"),
          std::string("hf_transfer"), std::string("--token <your-token>")}) {
        EXPECT_FALSE(looks_secret(text)) << text << " → " << conceal(text);
    }
}

TEST(Leaks, NamesTheKeyOfALiteralNeverTheValue) {
    const auto found =
        faults("pod:\n  env:\n    HF_TOKEN: abc\n    OTHER: " + hf +
               "\nmodels:\n  - https://civitai.com/api/download/models/1?token=" + key32 +
               "\n  - {source: '" + hf + "', sha256: " + hf + ", pickle: " + hf + "}\n");
    EXPECT_THAT(
        found,
        Contains(HasSubstr("pod.yaml:5:15: pod.env.HF_TOKEN: a literal here looks like a secret")));
    EXPECT_THAT(found, Contains(HasSubstr("pod.env.OTHER")));
    EXPECT_THAT(found, Contains(HasSubstr("models[0]")));
    EXPECT_THAT(found,
                Each(AllOf(Not(HasSubstr(hf)), Not(HasSubstr(key32)), Not(HasSubstr("abc")))));
}

TEST(Leaks, TakesReferencesAndSwitchesForNoLiterals) {
    EXPECT_THAT(faults("comfyui: {}\npod: {env: {HF_TOKEN: '${HF_TOKEN}', A_TOKEN: '', "
                       "DISABLE_TOKEN: '1', B_PASSWORD: '{{ RUNPOD_SECRET_b }}', "
                       "TOKENIZERS_PARALLELISM: 'false'}}\n",
                       options({{"HF_TOKEN", hf}})),
                IsEmpty());
}

TEST(Leaks, RefusesALiteralDefaultOfASecret) {
    EXPECT_THAT(faults("pod: {env: {HF_TOKEN: '${HF_TOKEN:-abcdef}'}}\n"),
                ElementsAre(HasSubstr("looks like a secret")));
}

TEST(Leaks, KnowsAHexKeyByTheNameOfItsKey) {
    EXPECT_THAT(faults("pod: {env: {CIVITAI: " + key32 + "}}\n"), SizeIs(1));
    EXPECT_THAT(faults("pod: {env: {MD5: " + key32 + "}}\n"), IsEmpty());
}

TEST(Leaks, SeesAnOptionAndItsValueAsTwoArguments) {
    EXPECT_THAT(faults("services: [{name: a, command: [app, --token, abc123]}]\n"),
                ElementsAre(HasSubstr("services[0].command[2]")));
    EXPECT_THAT(
        faults("services: [{name: a, command: [app, --token, '$TOKEN', --password, --x]}]\n"),
        IsEmpty());
}

TEST(Leaks, SeesKeysUnknownKeysAndSecretsThatAreValues) {
    EXPECT_THAT(faults(hf + ": 1\n"), Each(Not(HasSubstr(hf))));
    EXPECT_THAT(faults("civitai_api_key: abcdef\n"), Contains(HasSubstr("looks like a secret")));
    EXPECT_THAT(faults("secrets: ['HF_TOKEN=abcdefg']\n"), Each(Not(HasSubstr("abcdefg"))));
    EXPECT_THAT(faults("secrets: {HF_TOKEN: abcdefg}\n"), Each(Not(HasSubstr("abcdefg"))));
    EXPECT_THAT(faults("mirrors: {'https://u:hunter22@h.example/': 'https://m.example/'}\n"),
                AllOf(Not(IsEmpty()), Each(Not(HasSubstr("hunter22")))));
}

TEST(Leaks, SeesSetValues) {
    for (const std::string set : {"pod.env.HF_TOKEN=abcdefg", "pod.env={HF_TOKEN: abcdefg}"}) {
        EXPECT_THAT(faults("", options({}, {set})),
                    AllOf(SizeIs(1), Each(Not(HasSubstr("abcdefg")))))
            << set;
    }
}

TEST(Leaks, AreSearchedInLinearTime) {
    for (const std::string piece :
         {"token=", "://", "=", "--token ", "sk-", "Bearer ", "a:b@", "://x:y@"}) {
        std::string text;
        while (text.size() < 300'000)
            text += piece;
        EXPECT_LE(conceal(text).size(), 4 * text.size()) << piece;
    }
}

}  // namespace
}  // namespace podctl::tmpl::test
