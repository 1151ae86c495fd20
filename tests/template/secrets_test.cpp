#include "support.hpp"

// Where a template may speak of a secret, and what it tells of the environment it was read in.
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
using ::testing::UnorderedElementsAre;

const std::map<std::string, std::string> variables{
    {"HF_TOKEN", "plain-value-1"}, {"ODD", "plain-value-2"},   {"db_password", "plain-value-3"},
    {"HOST", "h.example"},         {"AWS_KEY", "plain-value"}, {"LICENCE", "l1cence-value"}};

TEST(TemplateSecrets, StandInEnvironmentsOnly) {
    EXPECT_THAT(faults("secrets: [ODD]\npod: {env: {A: '${HF_TOKEN}', B: 'x${ODD}'}}\n"
                       "services: [{name: a, command: [b], env: {C: '${AWS_KEY}'}}]\n",
                       options(variables)),
                IsEmpty());
    for (const char* yaml :
         {"models: ['http://h.example/x.safetensors?b=${HF_TOKEN}']",
          "models: ['http://h.example/${AWS_KEY}/x.safetensors']",
          "models: [{source: 'http://u:${db_password}@h.example/x.safetensors'}]",
          "models: [{source: 'http://h.example/x.safetensors', name: '${HF_TOKEN}'}]",
          "mirrors: {'https://huggingface.co/': 'http://h.example/${HF_TOKEN}/'}",
          "services: [{name: a, command: [b, '--key=${HF_TOKEN}']}]",
          "services: [{name: a, command: [b], cwd: 'x/${HF_TOKEN}'}]",
          "python: {index_url: 'https://u:${HF_TOKEN}@h.example/simple'}",
          "python: {requirements: ['x==${HF_TOKEN}']}",
          "repositories: [{git: 'https://${HF_TOKEN}@h.example/r.git'}]",
          "comfyui: {args: ['--x=${HF_TOKEN}']}", "pod: {image: 'i:${HF_TOKEN}'}",
          "pod: {command: ['${HF_TOKEN}']}", "comfyui: {ref: '${HOST:-${HF_TOKEN}}'}",
          "comfyui: {ref: '${NONE:-a${X:-${HF_TOKEN}}}'}", "comfyui: {env: {A: '${HF_TOKEN}'}}"})
        EXPECT_THAT(faults(std::string{yaml} + "\n", options(variables)),
                    AllOf(Contains(AllOf(HasSubstr("pod.yaml:3:"), HasSubstr("is a secret"))),
                          Each(Not(HasSubstr("plain-value")))))
            << yaml;
}

TEST(TemplateSecrets, AreRefusedByTheNamesThatSecretsLists) {
    const std::string text = "comfyui: {ref: 'a${ODD}'}\n";
    EXPECT_THAT(faults(text, options(variables)), IsEmpty());
    EXPECT_THAT(faults("secrets: [ODD]\n" + text, options(variables)),
                ElementsAre(HasSubstr("pod.yaml:4:16: comfyui.ref: ${ODD} is a secret")));
}

TEST(TemplateSecrets, AreRefusedInSetValuesAndTakenAsTextBehindTwoDollars) {
    EXPECT_THAT(faults("comfyui: {}\n", options(variables, {"comfyui.ref=${HF_TOKEN}"})),
                ElementsAre(HasSubstr("--set: comfyui.ref: ${HF_TOKEN} is a secret")));
    EXPECT_EQ(parse("services: [{name: a, command: [sh, -c, 'app $${HF_TOKEN} $HF_TOKEN']}]\n",
                    options(variables))
                  .services[0]
                  .command[2],
              "app ${HF_TOKEN} $HF_TOKEN");
}

TEST(TemplateSecrets, TellWhatHoldsAVariable) {
    const auto pod = parse(
        "comfyui: {ref: v1, source: 'https://${HOST}/a.git'}\n"
        "models: ['https://h.example/${NONE:-x}.safetensors']\n",
        options(variables));
    EXPECT_THAT(pod.from_environment, ElementsAre("https://h.example/a.git"));
}

std::vector<std::string> hidden_of(const Template& pod) {
    std::vector<std::string> values;
    for (const auto& secret : pod.hidden)
        values.push_back(secret.reveal());
    return values;
}

TEST(TemplateSecrets, TellWhatIsToBeHidden) {
    const auto pod = parse(
        "secrets: [ODD]\n"
        "pod: {env: {URL: 'pg://u:${db_password}@h/', ODD: odd-value-1, A: b, HOST: x}}\n"
        "services: [{name: a, command: [b], env: {C: 'x-${AWS_KEY}'}}]\n"
        "comfyui: {}\nmodels: [{source: 'https://${HOST}/x.safetensors?licence=${LICENCE}', to: "
        "vae}]\n",
        options(variables));
    EXPECT_THAT(pod.pod.secret_env, UnorderedElementsAre("URL", "ODD"));
    EXPECT_THAT(hidden_of(pod), UnorderedElementsAre("pg://u:plain-value-3@h/", "odd-value-1",
                                                     "x-plain-value", "l1cence-value"));
}

TEST(TemplateSecrets, AreNarrowedToNamesThatAreListed) {
    const auto pod = parse(
        "secrets: [HF_TOKEN, ODD]\ncomfyui: {secrets: []}\n"
        "python: {build_secrets: [ODD], index_strategy: unsafe-best-match}\n"
        "services: [{name: a, command: [b], secrets: [HF_TOKEN]}, {name: c, "
        "command: [b]}]\n");
    EXPECT_THAT(pod.comfyui->secrets.value(), IsEmpty());
    EXPECT_THAT(pod.services[0].secrets.value(), ElementsAre("HF_TOKEN"));
    EXPECT_FALSE(pod.services[1].secrets.has_value());
    EXPECT_THAT(pod.python.build_secrets, ElementsAre("ODD"));
    EXPECT_EQ(pod.python.index_strategy, IndexStrategy::unsafe_best_match);
    EXPECT_THAT(faults("secrets: [HF_TOKEN]\ncomfyui: {secrets: [HF_TOKE]}\n"
                       "python: {build_secrets: [ODD], index_strategy: best}\n"
                       "services: [{name: a, command: [b], secrets: [x-y]}]\n"),
                AllOf(SizeIs(4), Contains(HasSubstr("did you mean 'HF_TOKEN'")),
                      Contains(HasSubstr("python.build_secrets[0]: found 'ODD', which `secrets` "
                                         "does not list"))));
}

}  // namespace
}  // namespace podctl::tmpl::test
