#include "pod.hpp"
#include "support/comfyui.hpp"

// `podctl run`, from outside.
namespace podctl::e2e {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const std::string saved_workflow = R"({"nodes": [
    {"id": 1, "type": "EmptyImage", "title": "Paper", "widgets_values": [8, 8, 1, 0]},
    {"id": 2, "type": "SaveImage", "widgets_values": ["x"],
     "inputs": [{"name": "images", "type": "IMAGE", "link": 1}]}],
    "links": [[1, 1, 0, 2, 0, "IMAGE"]]})";

class RunCommand : public testing::Test {
protected:
    RunCommand() { write_file_atomically(dir_ / "a.json", saved_workflow); }

    Running start(std::vector<std::string> arguments,
                  const std::map<std::string, std::string>& environment = {}) {
        arguments.insert(arguments.begin(), {PODCTL_BINARY, "run", "--output", "json"});
        return Running{{.argv = std::move(arguments),
                        .working_directory = dir_.path(),
                        .environment = environment}};
    }
    Finished run(std::vector<std::string> arguments,
                 const std::map<std::string, std::string>& environment = {}) {
        return start(std::move(arguments), environment).finish();
    }
    json prompt(std::size_t index = 0) const { return comfyui_.prompts().at(index)["prompt"]; }

    test::TempDir dir_;
    test::ComfyUi comfyui_;
};

TEST_F(RunCommand, WritesWhatWasMadeAndTellsOfIt) {
    const auto end = run({"a.json", "--url", comfyui_.url(), "-o", "out", "--seed", "4"});
    EXPECT_EQ(end.status.code, 0) << end.output;
    EXPECT_EQ(read_file(dir_ / "out/sub/b 1.png"), comfyui_.files.at("output/sub/b 1.png"));
    EXPECT_THAT(end.steps("step.finished"), ElementsAre("run:a.json"));
    const auto finished = end.of("workflow.finished").at(0);
    EXPECT_EQ(finished["outputs"].at(0)["path"], "out/sub/b 1.png");
    EXPECT_EQ(finished["ok"], true);
    EXPECT_EQ(finished["seed"], 4);
    EXPECT_EQ(finished["nodes"].at(1)["state"], "ran");
    EXPECT_EQ(comfyui_.prompts().at(0)["extra_data"]["extra_pnginfo"]["workflow"],
              json::parse(saved_workflow));
}

TEST_F(RunCommand, SetsValuesAndRepeats) {
    comfyui_.add_class(
        "Sampler",
        {{"required",
          {{"image", {"IMAGE"}}, {"seed", {"INT", {{"default", 0}, {"max", 1'000'000'000}}}}}}},
        {"IMAGE"});
    write_file_atomically(dir_ / "b.json", R"({
        "1": {"class_type": "EmptyImage",
              "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}},
        "2": {"class_type": "Sampler", "inputs": {"image": ["1", 0], "seed": 5}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "x"}}})");
    const auto end =
        run({"b.json", "--url", comfyui_.url(), "--count", "3", "--set", "EmptyImage.width=16"});
    EXPECT_EQ(end.status.code, 0) << end.output;
    EXPECT_THAT(end.steps("step.finished"),
                ElementsAre("run:b.json #1", "run:b.json #2", "run:b.json #3"));
    EXPECT_EQ(prompt(0)["2"]["inputs"]["seed"], 5);
    EXPECT_NE(prompt(1)["2"]["inputs"]["seed"], prompt(2)["2"]["inputs"]["seed"]);
    EXPECT_EQ(prompt(2)["1"]["inputs"]["width"], 16);
}

TEST_F(RunCommand, OneWorkflowThatFailsKeepsNoOtherOneAway) {
    write_file_atomically(dir_ / "bad.json", R"({"1": {"class_type": "None", "inputs": {}}})");
    const auto end = run({"bad.json", "a.json", "--url", comfyui_.url()});
    EXPECT_EQ(end.status.code, 6) << end.output;
    EXPECT_THAT(end.steps("step.failed"), ElementsAre("run:bad.json"));
    EXPECT_THAT(end.steps("step.finished"), ElementsAre("run:a.json"));
    EXPECT_EQ(end.of("run.finished").at(0)["exit_code"], 6);
}

TEST_F(RunCommand, CtrlCTakesThePromptBackAndRunsNoOther) {
    comfyui_.end = test::ComfyUi::End::never_comes;
    auto running = start({"a.json", "a.json", "--url", comfyui_.url()});
    ASSERT_TRUE(running.wait_for("step.progress"));
    running.signal(SIGINT);
    const auto end = running.finish();
    EXPECT_EQ(end.status.code, 128 + SIGINT) << end.output;
    EXPECT_THAT(comfyui_.prompts(), SizeIs(1));
    EXPECT_THAT(comfyui_.running(), IsEmpty());
}

TEST_F(RunCommand, SendsAHeaderWhoseValueIsInTheEnvironmentAndShowsItNowhere) {
    const auto end = run({"a.json", "--url", comfyui_.url(), "--header",
                          "Authorization=Bearer ${DOOR_KEY}", "--log-level", "debug"},
                         {{"DOOR_KEY", "s3cret-value"}});
    EXPECT_EQ(end.status.code, 0) << end.output;
    for (const auto* path : {"/system_stats", "/prompt", "/ws", "/view"})
        EXPECT_EQ(comfyui_.requests(path).at(0).header("authorization"), "Bearer s3cret-value")
            << path;
    EXPECT_THAT(end.output, Not(HasSubstr("s3cret-value")));
}

TEST_F(RunCommand, PrintsThePromptAndRunsNothing) {
    write_file_atomically(dir_ / "classes.json",
                          json{{"EmptyImage", comfyui_.classes.at("EmptyImage")},
                               {"SaveImage", comfyui_.classes.at("SaveImage")}}
                              .dump());
    const auto end = run(
        {"a.json", "--print-prompt", "--object-info", "classes.json", "--set", "Paper.width=12"});
    EXPECT_EQ(end.status.code, 0) << end.output;
    const auto printed = json::parse(end.output);
    EXPECT_EQ(printed["1"]["inputs"]["width"], 12);
    EXPECT_EQ(printed["2"]["inputs"]["images"], json::array({"1", 0}));
    EXPECT_THAT(comfyui_.requests("/system_stats"), IsEmpty());
}

TEST_F(RunCommand, TakesTheWorkflowThatAPictureCarries) {
    const std::string text = std::string("workflow") + '\0' + saved_workflow;
    auto png = test::png_bytes(8, 8);
    std::string chunk{static_cast<char>(text.size() >> 24), static_cast<char>(text.size() >> 16),
                      static_cast<char>(text.size() >> 8), static_cast<char>(text.size())};
    chunk += "tEXt" + text + "CRC!";
    png.insert(png.size() - 12, chunk);
    write_file_atomically(dir_ / "made.png", png);
    const auto end = run({"made.png", "--url", comfyui_.url()});
    EXPECT_EQ(end.status.code, 0) << end.output;
    EXPECT_EQ(prompt()["1"]["inputs"]["width"], 8);
    write_file_atomically(dir_ / "bare.png", test::png_bytes(8, 8));
    const auto bare = run({"bare.png", "--url", comfyui_.url()});
    EXPECT_EQ(bare.status.code, 2);
    EXPECT_THAT(bare.output, HasSubstr("carries no workflow"));
}

TEST_F(RunCommand, WrongArgumentsExitWith2) {
    const auto url = comfyui_.url();
    for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
             {},
             {"a.json", "--root", (dir_ / "nowhere").string()},
             {"a.json", "--url", "ftp://x"},
             {"none.json", "--url", url},
             {"a.json", "none.json", "--url", url},
             {"a.json", "--url", url, "--set", "width=3"},
             {"a.json", "--url", url, "--set", "1.width=wide"},
             {"a.json", "--url", url, "--set", "1.widht=3"},
             {"a.json", "--url", url, "--count", "0"},
             {"a.json", "--url", url, "--header", "A"},
             {"a.json", "--url", url, "--header", "A=$NOT_SET_ANYWHERE"},
             {"a.json", "--url", "http://pod.example", "--header", "A=b"}})
        EXPECT_EQ(run(wrong).status.code, 2) << ::testing::PrintToString(wrong);
    EXPECT_THAT(comfyui_.prompts(), IsEmpty());
}

}  // namespace
}  // namespace podctl::e2e
