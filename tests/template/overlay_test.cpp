#include "support.hpp"
#include "support/temp_dir.hpp"

#include <fstream>

namespace podctl::tmpl::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Overlay : public ::testing::Test {
protected:
    std::filesystem::path file(const std::string& name, const std::string& text) {
        std::ofstream(dir_ / name) << text;
        return dir_ / name;
    }
    podctl::test::TempDir dir_;
};

TEST_F(Overlay, MergesMappingsAndReplacesListsAndScalars) {
    LoadOptions given = options();
    given.overlays = {
        file("a.yaml", "pod: {env: {B: '3'}, command: [z]}\ncomfyui: {port: 9001}\n")};
    const Template read = parse("pod: {image: i, env: {A: '1', B: '2'}, command: [x, y]}\n", given);
    EXPECT_EQ(read.pod.image, "i");
    EXPECT_EQ(read.pod.env.at("A"), "1");
    EXPECT_EQ(read.pod.env.at("B"), "3");
    EXPECT_THAT(read.pod.command, ElementsAre("z"));
    EXPECT_EQ(read.comfyui->port, 9001);
}

TEST_F(Overlay, LetsTheLaterOneWin) {
    LoadOptions given = options({}, {"comfyui.port=9003"});
    given.overlays = {file("a.yaml", "comfyui: {port: 9001, ref: a}\n"),
                      file("b.yaml", "comfyui: {port: 9002}\n")};
    const Template read = parse("comfyui: {port: 9000}\n", given);
    EXPECT_EQ(read.comfyui->port, 9003);
    EXPECT_EQ(read.comfyui->ref, "a");
}

TEST_F(Overlay, TakesOutWhatItNamesWithNull) {
    LoadOptions given = options();
    given.overlays = {file("a.yaml", "pod: {gpu: null, image: ~}\ncomfyui:\n")};
    const Template read = parse("pod: {gpu: {count: 2}, image: i}\ncomfyui: {}\n", given);
    EXPECT_FALSE(read.pod.gpu);
    EXPECT_FALSE(read.comfyui);
    EXPECT_EQ(read.pod.image, "");
    for (const auto* nothing : {"pod.gpu=null", "pod.gpu=~", "pod.gpu="})
        EXPECT_FALSE(parse("pod: {gpu: {count: 2}}\n", options({}, {nothing})).pod.gpu) << nothing;
    EXPECT_TRUE(parse("comfyui: {}\n", options({}, {"comfyui.port=9001"})).comfyui);
    // Out of nothing it takes nothing, and makes nothing on its way.
    given.overlays = {file("b.yaml", "comfyui:\npod: {gpu: {count: null}, env: {A: null}}\n")};
    const Template same = parse("pod: {image: i}\n", given);
    EXPECT_FALSE(same.comfyui);
    EXPECT_FALSE(same.pod.gpu);
    EXPECT_FALSE(parse("", options({}, {"comfyui.port=null"})).comfyui);
    EXPECT_FALSE(parse("pod: {image: i}\n", options({}, {"pod.gpu.count=null"})).pod.gpu);
}

TEST_F(Overlay, MayBeEmpty) {
    LoadOptions given = options();
    given.overlays = {file("a.yaml", "# nothing yet\n")};
    EXPECT_EQ(parse("", given).name, "pod");
}

TEST_F(Overlay, NamesTheOverlayInItsErrors) {
    LoadOptions given = options();
    given.overlays = {file("a.yaml", "\ncomfyui: {port: x}\n")};
    const auto found = faults("comfyui: {}\n", given);
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_THAT(found[0], HasSubstr("a.yaml:2:17: comfyui.port: found 'x'"));
}

TEST_F(Overlay, ReplacesByNothingWhatItNamesWithoutAValue) {
    LoadOptions given = options();
    given.overlays = {file("a.yaml", "models:\n")};
    EXPECT_THAT(parse("comfyui: {}\nmodels: [hf:a/b/c.safetensors]\n", given).models, IsEmpty());
}

TEST(Set, ReadsItsValueAsYaml) {
    const Template read =
        parse("", options({}, {"comfyui.port=9001", "comfyui.args=[a, 'b c']",
                               "comfyui.progress_page=false", "comfyui.ref=v1=x"}));
    EXPECT_EQ(read.comfyui->port, 9001);
    EXPECT_THAT(read.comfyui->args, ElementsAre("a", "b c"));
    EXPECT_FALSE(read.comfyui->progress_page);
    EXPECT_EQ(read.comfyui->ref, "v1=x");
}

TEST(Set, ReachesIntoListsAndAppends) {
    const Template read =
        parse("comfyui: {args: [a, b]}\nservices: [{name: a, command: [x]}]\n",
              options({}, {"comfyui.args.1=c", "comfyui.args.2=d", "services[0].port=7000",
                           "services.1={name: b, command: [y]}"}));
    EXPECT_THAT(read.comfyui->args, ElementsAre("a", "c", "d"));
    EXPECT_EQ(read.services[0].port, 7000);
    EXPECT_EQ(read.services[1].name, "b");
}

TEST(Set, CreatesTheListsAndMappingsOnItsWay) {
    const Template read = parse(
        "comfyui: {}\n",
        options({}, {"models.0.source=hf:a/b/c.safetensors", "models.0.to=loras", "pod.env.A=1"}));
    ASSERT_THAT(read.models, SizeIs(1));
    EXPECT_EQ(read.models[0].to, "loras");
    EXPECT_EQ(read.pod.env.at("A"), "1");
}

TEST(Set, OpensUpAShortForm) {
    const Template read =
        parse("comfyui: {}\nmodels: [hf:a/b/c.safetensors]\n", options({}, {"models.0.to=loras"}));
    EXPECT_EQ(read.models[0].source, "hf:a/b/c.safetensors");
    EXPECT_EQ(read.models[0].to, "loras");
}

TEST(Set, TakesAKeyWithDotsInQuotes) {
    const Template read =
        parse("", options({}, {"mirrors.\"https://a.example/\"=https://b.example/"}));
    EXPECT_THAT(read.mirrors, ElementsAre(std::pair<std::string, std::string>(
                                  "https://a.example/", "https://b.example/")));
}

TEST(Set, MergesAMapping) {
    const Template read = parse("comfyui: {port: 9001}\n", options({}, {"comfyui={ref: v1}"}));
    EXPECT_EQ(read.comfyui->port, 9001);
    EXPECT_EQ(read.comfyui->ref, "v1");
}

TEST(Set, ReportsAWrongValueByItsKey) {
    EXPECT_THAT(faults("", options({}, {"comfyui.port=no", "comfyui.prot=1"})),
                ElementsAre("--set: comfyui.port: found 'no'; allowed: an integer from 1 to 65535",
                            "--set: comfyui.prot: is no key of ComfyUI, did you mean 'port'?"));
}

TEST(Set, RefusesAnIndexBeyondTheList) {
    EXPECT_THAT(faults("comfyui: {args: [a]}\n", options({}, {"comfyui.args.5=x"})),
                ElementsAre(HasSubstr("is a list of 1; found '5', allowed: an index from 0 to 1")));
    EXPECT_THAT(faults("comfyui: {args: [a]}\n", options({}, {"comfyui.args.first=x"})),
                ElementsAre(HasSubstr("allowed: an index")));
}

TEST(Set, RefusesToSetSomethingInText) {
    EXPECT_THAT(faults("", options({}, {"name.x=1"})),
                ElementsAre(HasSubstr("nothing to set in it")));
}

TEST(Set, IsAUsageErrorWhenItIsNoKeyAndValue) {
    for (const char* assignment :
         {"", "=1", "name", "a..b=1", ".a=1", "a.=1", "a[=1", "a[]=1", "\"a=1", "a[0]b=1"}) {
        try {
            parse("", options({}, {assignment}));
            FAIL() << assignment;
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::usage) << assignment;
            EXPECT_THAT(error.hint(), HasSubstr("--set KEY=VALUE"));
        }
    }
}

TEST(Set, ReportsAValueThatIsNoYaml) {
    EXPECT_THAT(faults("comfyui: {}\n", options({}, {"comfyui.args=[a"})),
                ElementsAre(HasSubstr("not valid YAML")));
}

}  // namespace
}  // namespace podctl::tmpl::test
