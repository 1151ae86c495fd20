#include "pod.hpp"
#include "support/comfyui.hpp"

namespace podctl::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string workflow = R"({
  "1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}},
  "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}}})";

class SmokeCommand : public testing::Test {
protected:
    Running start(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {PODCTL_BINARY, "smoke", "--output", "json"});
        return Running{{.argv = std::move(arguments), .working_directory = dir_.path()}};
    }
    Finished smoke(std::vector<std::string> arguments) {
        return start(std::move(arguments)).finish();
    }

    test::TempDir dir_;
    test::ComfyUi comfyui_;
};

TEST_F(SmokeCommand, RunsTheBuiltInWorkflow) {
    const auto end = smoke({"--url", comfyui_.url() + "/api/"});
    EXPECT_EQ(end.status.code, 0) << end.output;
    EXPECT_THAT(end.steps("step.finished"), ::testing::ElementsAre("smoke"));
    const auto finished = end.of("smoke.finished").at(0);
    EXPECT_EQ(finished["ok"], true);
    EXPECT_THAT(finished["faults"], IsEmpty());
    EXPECT_EQ(finished["outputs"].at(0)["format"], "png");
    EXPECT_EQ(end.of("run.finished").at(0)["exit_code"], 0);
}

TEST_F(SmokeCommand, TakesTheTemplatesPortAndWorkflow) {
    const auto port = comfyui_.url().substr(comfyui_.url().rfind(':') + 1);
    write_file_atomically(dir_ / "root/flows/smoke.json", workflow);
    write_file_atomically(dir_ / "pod.yaml",
                          "apiVersion: podctl/v1\nname: pod\ncomfyui: {port: " + port +
                              "}\nsmoke: {workflow: flows/smoke.json, timeout: 30s}\n");
    const auto end = smoke({"pod.yaml", "--root", (dir_ / "root").string()});
    EXPECT_EQ(end.status.code, 0) << end.output;
    EXPECT_EQ(comfyui_.prompts().at(0)["prompt"].size(), 2u);
    EXPECT_EQ(end.of("smoke.finished").at(0)["outputs"].at(0)["class_type"], "SaveImage");
}

// The XML of a parser that is not ours.
std::string cases_of(const std::filesystem::path& junit) {
    const auto read =
        run_captured({.argv = {"python3", "-c",
                               "import sys, xml.etree.ElementTree as tree\n"
                               "for case in tree.parse(sys.argv[1]).getroot().iter('testcase'):\n"
                               "    print(case.get('name'), *[child.tag for child in case])\n",
                               junit.string()}},
                     {});
    EXPECT_EQ(read.status.code, 0) << read.output;
    return read.output;
}

TEST_F(SmokeCommand, ExitsWith6AndTellsJunitWhy) {
    comfyui_.fails["ImageInvert"] = "<broken> & \"gone\"";
    const auto end = smoke({"--url", comfyui_.url(), "--junit", "out/smoke.xml"});
    EXPECT_EQ(end.status.code, 6) << end.output;
    EXPECT_EQ(end.of("step.failed").at(0)["error"]["code"], "smoke");
    EXPECT_THAT(end.of("step.failed").at(0)["error"]["message"].get<std::string>(),
                HasSubstr("node 2 (ImageInvert): RuntimeError: <broken>"));
    EXPECT_EQ(cases_of(dir_ / "out/smoke.xml"),
              "run failure\nnode 1 (EmptyImage)\nnode 2 (ImageInvert) failure\n"
              "node 3 (PreviewImage) skipped\n");
}

TEST_F(SmokeCommand, ExitsWith6WhenNobodyAnswers) {
    const auto end = smoke({"--url", "http://127.0.0.1:1", "--junit", "smoke.xml"});
    EXPECT_EQ(end.status.code, 6);
    EXPECT_THAT(end.output, HasSubstr("cannot be reached"));
    EXPECT_EQ(cases_of(dir_ / "smoke.xml"), "run failure\n");
}

TEST_F(SmokeCommand, WrongArgumentsExitWith2) {
    write_file_atomically(dir_ / "none.json", "{}");
    write_file_atomically(dir_ / "empty.json", "");
    const auto url = comfyui_.url();
    for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
             {"--root", (dir_ / "nowhere").string()},
             {"--url", "ftp://x"},
             {"--url", url + "?x=1"},
             {"--url", url, "--set", "comfyui.port=1"},
             {"--url", url, "--timeout", "soon"},
             {"--url", url, "--workflow", "no-such.json"},
             {"--url", url, "--workflow", "."},
             {"--url", url, "--workflow", "empty.json"},
             {"--url", url, "--workflow", "none.json"},
             {"no-such.yaml"},
         })
        EXPECT_EQ(smoke(wrong).status.code, 2) << ::testing::PrintToString(wrong);
    EXPECT_THAT(comfyui_.prompts(), IsEmpty());
}

TEST_F(SmokeCommand, CtrlCTakesThePromptBack) {
    comfyui_.end = test::ComfyUi::End::never_comes;
    auto running = start({"--url", comfyui_.url()});
    ASSERT_TRUE(running.wait_for("step.progress"));
    running.signal(SIGINT);
    const auto end = running.finish();
    EXPECT_EQ(end.status.code, 128 + SIGINT) << end.output;
    EXPECT_EQ(end.of("run.finished").at(0)["exit_code"], 128 + SIGINT);
    EXPECT_THAT(comfyui_.interrupts(), SizeIs(1));
    EXPECT_THAT(comfyui_.running(), IsEmpty());
}

TEST_F(SmokeCommand, ResultsOfAnEarlierPromptAreNoTestUnlessTold) {
    comfyui_.has_it_cached = true;
    comfyui_.forgets = test::ComfyUi::Forgets::never;
    const auto end = smoke({"--url", comfyui_.url()});
    EXPECT_EQ(end.status.code, 6) << end.output;
    EXPECT_THAT(end.output, HasSubstr("did not run it"));
    EXPECT_EQ(smoke({"--url", comfyui_.url(), "--cached"}).status.code, 0);
    comfyui_.forgets = test::ComfyUi::Forgets::at_once;
    EXPECT_EQ(smoke({"--url", comfyui_.url()}).status.code, 0);
}

class SmokeOfAPod : public PodTest {};

TEST_F(SmokeOfAPod, PassesOnAPodThatUpHasBrought) {
    auto pod = start("up");
    ASSERT_TRUE(pod.wait_for("service.ready"));
    const auto end = run("smoke");
    EXPECT_EQ(end.status.code, 0) << end.output;
    EXPECT_EQ(end.of("smoke.finished").at(0)["outputs"].at(0)["width"], 64);
    // The pod that runs need not be named by its template, nor by its port.
    const auto by_root =
        Running{command({"smoke", "--root", root().string(), "--output", "json"})}.finish();
    EXPECT_EQ(by_root.status.code, 0) << by_root.output;
    pod.signal(SIGTERM);
    EXPECT_EQ(pod.finish().status.code, 128 + SIGTERM);
    EXPECT_EQ(run("smoke").status.code, 6);
}

}  // namespace
}  // namespace podctl::e2e
