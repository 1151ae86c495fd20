#include "support.hpp"
#include "support/temp_dir.hpp"

#include <fstream>
#include <iterator>

namespace podctl::tmpl::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class EffectiveYaml : public ::testing::Test {
protected:
    std::string effective(const std::string& yaml, const LoadOptions& given = options()) {
        std::ofstream(dir_ / "pod.yaml") << with_head(yaml);
        return effective_yaml(dir_ / "pod.yaml", given);
    }
    podctl::test::TempDir dir_;
};

TEST_F(EffectiveYaml, IsMergedInterpolatedAndInTheOrderOfTheTable) {
    std::ofstream(dir_ / "over.yaml") << "comfyui: {port: 9001}\n";
    LoadOptions given = options({{"REF", "v1"}}, {"pod.env.A=1"});
    given.overlays = {dir_ / "over.yaml"};
    EXPECT_EQ(
        effective(
            "comfyui: {ref: '${REF}', args: [], source: https://h.example/a}\npod: {image: x:1}\n",
            given),
        "apiVersion: podctl/v1\n"
        "name: pod\n"
        "pod:\n"
        "  image: x:1\n"
        "  env:\n"
        "    A: 1\n"
        "comfyui:\n"
        "  source: https://h.example/a\n"
        "  ref: \"v1\"\n"
        "  port: 9001\n"
        "  args: []\n");
}

TEST_F(EffectiveYaml, KeepsAnEmptySectionAndLeavesOutWhatIsNotSet) {
    EXPECT_EQ(effective("comfyui:\nmodels:\n"), "apiVersion: podctl/v1\nname: pod\ncomfyui: {}\n");
}

TEST_F(EffectiveYaml, PrintsTheReferenceInsteadOfASecret) {
    const auto given =
        options({{"MY_CODE", "hunter2hunter2"}, {"X_TOKEN", "tttttt"}, {"PLAIN", "ppp"}});
    const std::string yaml = effective(
        "secrets: [MY_CODE]\npod: {env: {A: 'x-${MY_CODE}', B: '${X_TOKEN:-none}', C: '${PLAIN}', "
        "MY_PASSWORD: '${PLAIN}'}}\n",
        given);
    EXPECT_THAT(yaml, AllOf(HasSubstr("A: \"x-${MY_CODE}\""), HasSubstr("B: \"${X_TOKEN:-none}\""),
                            HasSubstr("C: \"ppp\""), HasSubstr("MY_PASSWORD: \"${PLAIN}\""),
                            Not(HasSubstr("hunter2")), Not(HasSubstr("tttttt"))));
}

TEST_F(EffectiveYaml, ReadsBackAsTheSameTemplate) {
    const auto given = options({{"D", "a$b${c}\"\\\n\t"}});
    const std::string yaml = effective(
        "pod: {command: ['true', \"a: b # c\", '- x', '', ' y ', '$$', '$HOME', '${D}', "
        "\"\\x01\\u00e4\", 12], env: {N: null-ish, T: 'null'}}\n"
        "comfyui: {cors: '*', ref: 8.20}\nmirrors: {'https://a.example/': 'https://b.example/'}\n"
        "models: [hf:a/b/c.safetensors, {source: 'civitai:1', to: x}]\n",
        given);
    std::ofstream(dir_ / "back.yaml") << yaml;
    const Template first = load_template(dir_ / "pod.yaml", given);
    const Template back = load_template(dir_ / "back.yaml", options());
    EXPECT_EQ(back.pod.command, first.pod.command) << yaml;
    EXPECT_EQ(back.pod.env, first.pod.env);
    EXPECT_EQ(back.comfyui->ref, "8.20");
    EXPECT_EQ(back.comfyui->cors, "*");
    EXPECT_EQ(back.mirrors, first.mirrors);
    EXPECT_EQ(back.models[1].to, "x");
    EXPECT_EQ(effective_yaml(dir_ / "back.yaml", options()), yaml);
}

TEST_F(EffectiveYaml, IsNotPrintedOfAFaultyTemplate) {
    EXPECT_THROW(effective("comfyui: {port: 0}\n"), TemplateError);
}

}  // namespace
}  // namespace podctl::tmpl::test
