#include "support.hpp"

namespace podctl::tmpl::test {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

std::string ref_of(const std::string& text, std::map<std::string, std::string> variables = {}) {
    return parse("pod: {env: {V: \"" + text + "\"}}\n", options(std::move(variables)))
        .pod.env.at("V");
}

TEST(Interpolation, FillsVariablesAndDefaults) {
    EXPECT_EQ(ref_of("a${X}b${Y}", {{"X", "1"}, {"Y", "2"}}), "a1b2");
    EXPECT_EQ(ref_of("${X:-dflt}"), "dflt");
    EXPECT_EQ(ref_of("${X:-dflt}", {{"X", ""}}), "dflt");
    EXPECT_EQ(ref_of("${X:-dflt}", {{"X", "x"}}), "x");
    EXPECT_EQ(ref_of("${X:-}"), "");
    EXPECT_EQ(ref_of("${X}", {{"X", ""}}), "");
}

TEST(Interpolation, FillsVariablesInDefaults) {
    EXPECT_EQ(ref_of("${A:-${B:-c}}!"), "c!");
    EXPECT_EQ(ref_of("${A:-${B:-c}}!", {{"B", "b"}}), "b!");
}

TEST(Interpolation, MakesTwoDollarsOneAndLeavesOthersAlone) {
    EXPECT_EQ(ref_of("$$"), "$");
    EXPECT_EQ(ref_of("$${X}"), "${X}");
    EXPECT_EQ(ref_of("$HOME 5$ $(x)"), "$HOME 5$ $(x)");
}

TEST(Interpolation, FillsCommandsOfServicesToo) {
    const Template read =
        parse("services: [{name: a, command: [sh, -c, 'echo $$A ${B}']}]\n", options({{"B", "b"}}));
    EXPECT_THAT(read.services[0].command, ElementsAre("sh", "-c", "echo $A b"));
}

TEST(Interpolation, IsNotDoneTwice) {
    EXPECT_EQ(ref_of("${X}", {{"X", "${Y} $$"}}), "${Y} $$");
}

TEST(Interpolation, GivesNumbersSizesAndWordsTheirType) {
    const Template read = parse(
        "pod: {container_disk: '${DISK}'}\n"
        "comfyui: {port: \"${PORT}\", progress_page: '${PAGE}', vram: '${VRAM}', ready_timeout: "
        "'${WAIT:-90s}'}\n",
        options({{"DISK", "10GB"}, {"PORT", "9001"}, {"PAGE", "false"}, {"VRAM", "low"}}));
    EXPECT_EQ(read.pod.container_disk, Bytes{10'000'000'000});
    EXPECT_EQ(read.comfyui->port, 9001);
    EXPECT_FALSE(read.comfyui->progress_page);
    EXPECT_EQ(read.comfyui->vram, Vram::low);
}

TEST(Interpolation, CanNotBringStructureIn) {
    const Template read = parse("pod: {env: {V: '${X}'}}\n", options({{"X", "a: [b]\nc: *d"}}));
    EXPECT_EQ(read.pod.env.at("V"), "a: [b]\nc: *d");
    EXPECT_THAT(read.pod.env, SizeIs(1));
}

TEST(Interpolation, NamesTheVariableThatIsNotSet) {
    EXPECT_THAT(
        faults("comfyui:\n  ref: ${REF}\n"),
        ElementsAre(
            "pod.yaml:4:8: comfyui.ref: the environment variable REF is not set; set it, or "
            "write ${REF:-default}; $${REF} is for the program that reads it"));
}

TEST(Interpolation, RefusesAReferenceOfNoForm) {
    for (const char* text : {"${", "${}", "${1A}", "${A-b}", "${A:?e}", "${A", "${A:-b", "${ A}"}) {
        EXPECT_THAT(faults(std::string("pod: {env: {V: '") + text + "'}}\n"),
                    ElementsAre(HasSubstr("write $$ for a dollar sign")))
            << text;
    }
}

TEST(Interpolation, ShowsTheTemplatesTextInDiagnosticsNeverTheValue) {
    const auto found = faults(
        "comfyui: {port: '${V}', vram: '${V}', path: '/${V}', source: 'ftp://${V}'}\n"
        "services: [{name: '${V}', command: [a], after: ['${V}x']}, {name: '${V}', command: [a]}]\n"
        "repositories: [{git: '${V}', path: '../${V}'}]\nsecrets: ['${V}=']\n",
        options({{"V", "s3cr3t-value"}}));
    EXPECT_THAT(found, Each(AllOf(HasSubstr("${V}"), Not(HasSubstr("s3cr3t")))));
    EXPECT_THAT(found, SizeIs(9));
}

TEST(Interpolation, EndsEvenWhenDefaultsAreNestedDeeply) {
    std::string text;
    for (int i = 0; i < 1000; ++i)
        text += "${A:-";
    text += "x" + std::string(1000, '}');
    EXPECT_THAT(faults("pod: {env: {V: '" + text + "'}}\n"),
                ElementsAre(HasSubstr("nested too deeply")));
}

TEST(Interpolation, DoesNotFillTheMemory) {
    std::string list;
    for (int i = 0; i < 300; ++i)
        list += "'${BIG}', ";
    EXPECT_THAT(
        faults("pod: {command: [" + list + "]}\n", options({{"BIG", std::string(1 << 16, 'x')}})),
        Each(HasSubstr("expand to more text")));
}

}  // namespace
}  // namespace podctl::tmpl::test
