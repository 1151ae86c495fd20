#include "support.hpp"

namespace podctl::tmpl::test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

TEST(Document, NamesTheLinesOfBothDuplicateKeys) {
    EXPECT_THAT(
        faults("comfyui:\n  port: 9001\n  port: 9002\n"),
        ElementsAre("pod.yaml:5:3: comfyui.port: this key is there twice (it is on line 4, too)"));
}

TEST(Document, ReportsDuplicatesBesideAllOtherErrors) {
    EXPECT_THAT(faults("name: again\npodd: 1\n"), SizeIs(2));
}

TEST(Document, MergesWithTheMergeKeyAsComposeDoes) {
    const Template read = parse(
        "services:\n"
        "  - &base {name: a, command: [x], env: &env {A: '1', B: '2'}}\n"
        "  - {<<: *base, name: b, env: {<<: [{B: '3'}, *env], C: '4'}}\n");
    ASSERT_THAT(read.services, SizeIs(2));
    EXPECT_EQ(read.services[1].name, "b");
    EXPECT_THAT(read.services[1].command, ElementsAre("x"));
    EXPECT_THAT(read.services[1].env,
                ElementsAre(std::pair("A", "1"), std::pair("B", "3"), std::pair("C", "4")));
}

TEST(Document, TakesAQuotedMergeKeyForAnOrdinaryOne) {
    EXPECT_THAT(faults("comfyui: {\"<<\": {port: 1}}\n"),
                Contains(HasSubstr("is no key of ComfyUI")));
}

TEST(Document, RefusesAMergeOfSomethingElse) {
    EXPECT_THAT(faults("comfyui: {<<: 5}\n"), Contains(HasSubstr("<< takes a mapping or a list")));
}

TEST(Document, RefusesASecondDocument) {
    EXPECT_THAT(faults("---\nname: b\n"), Contains(HasSubstr("a second document")));
}

TEST(Document, RefusesAnAliasToItsOwnParent) {
    EXPECT_THAT(faults("pod: &p {env: {A: *p}}\n"), Contains(HasSubstr("contains it")));
}

TEST(Document, RefusesATagThatIsNotOfTheCoreSchema) {
    EXPECT_THAT(faults("pod: {image: !env IMAGE}\n"),
                Contains(HasSubstr("the tag '!env' means nothing")));
    EXPECT_EQ(parse("pod: {image: !!str 5}\n").pod.image, "5");
}

TEST(Document, RefusesAKeyThatIsNoText) {
    EXPECT_THAT(faults("? [a]\n: b\n"), Contains(HasSubstr("a key must be text, found a list")));
    EXPECT_THAT(faults("~: b\n"), Contains(HasSubstr("a key must be text")));
}

TEST(Document, SaysWhatIsWrongWithTheYamlAndWhere) {
    EXPECT_THAT(faults("pod: [a\nname: b\n"),
                Contains(AllOf(StartsWith("pod.yaml:"), HasSubstr("not valid YAML"))));
}

TEST(Document, SaysThatATabIndents) {
    EXPECT_THAT(faults("comfyui:\n\tport: 9001\n"), Contains(HasSubstr("indented with a tab")));
}

TEST(Document, SaysThatAnAtSignOrAPercentSignNeedsQuotes) {
    for (const char sign : {'@', '`', '%'})
        EXPECT_THAT(faults(std::string("secrets:\n  - ") + sign + "x\n"),
                    Contains(HasSubstr(std::string("begins with ") + sign + " needs quotes")));
}

TEST(Document, ShowsABlankThatIsNoSpace) {
    EXPECT_THAT(faults("comfyui:\n\u00a0\u00a0port: 9001\n"),
                Contains(HasSubstr("\\u00a0\\u00a0port")));
    EXPECT_THAT(faults("comfyui: {port: '\u20039001'}\n"), Contains(HasSubstr("'\\u20039001'")));
}

TEST(Document, SaysThatAStarNeedsQuotes) {
    EXPECT_THAT(faults("comfyui:\n  cors: *\n"), ElementsAre(HasSubstr("needs quotes")));
}

TEST(Document, RefusesWhatIsNotAMapping) {
    EXPECT_THAT(faults_of_text(""),
                ElementsAre(HasSubstr("found nothing; a template is a mapping")));
    EXPECT_THAT(faults_of_text("- a\n"), ElementsAre(HasSubstr("found a list")));
    EXPECT_THAT(faults_of_text("just text\n"), ElementsAre(HasSubstr("found 'just text'")));
}

TEST(Document, ReadsAByteOrderMarkAndDosLineEnds) {
    const Template read = parse_template(
        "\xEF\xBB\xBF"
        "apiVersion: podctl/v1\r\nname: pod\r\ncomfyui:\r\n  port: 9001\r\n",
        "pod.yaml", options());
    EXPECT_EQ(read.comfyui->port, 9001);
}

TEST(Document, KeepsBlockScalarsAsTheyAre) {
    const Template read = parse(
        "services:\n  - name: a\n    command:\n      - sh\n      - -c\n      - |\n        one\n    "
        "    two\n");
    EXPECT_EQ(read.services[0].command[2], "one\ntwo\n");
}

}  // namespace
}  // namespace podctl::tmpl::test
