#include "run_test.hpp"

namespace podctl::comfy {
namespace {

using namespace std::chrono_literals;
using namespace test;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using WorkflowRun = RunTest;

TEST_F(WorkflowRun, RunsTheBuiltInWorkflowAndFetchesItsImage) {
    const auto report = run();
    EXPECT_THAT(report.faults, IsEmpty());
    ASSERT_THAT(report.outputs, SizeIs(1));
    const auto& image = report.outputs[0];
    EXPECT_EQ(image.node, "3");
    EXPECT_EQ(image.class_type, "PreviewImage");
    EXPECT_EQ(image.format, "png");
    EXPECT_EQ(image.width, 64u);
    EXPECT_EQ(image.height, 48u);
    EXPECT_EQ(image.size, comfyui_.files.at("temp//a.png").size());
    EXPECT_EQ(report.prompt_id, comfyui_.prompts().at(0)["prompt_id"].get<std::string>());
    EXPECT_THAT(report.nodes, SizeIs(3));
    EXPECT_THAT(notices_, IsEmpty());
}

TEST_F(WorkflowRun, TellsWhatIsDoneByWebSocket) {
    comfyui_.history_lag = 3;
    run();
    EXPECT_THAT(progress_, Contains("0/3"));
    EXPECT_THAT(progress_, Contains("1/3 ImageInvert (node 2), 2 of 4 steps"));
    EXPECT_EQ(progress_.back(), "3/3");
    const auto asked = comfyui_.requests("/ws").at(0);
    EXPECT_EQ(asked.query, "clientId=" + comfyui_.prompts().at(0)["client_id"].get<std::string>());
}

TEST_F(WorkflowRun, SaysThatNothingWasRunWhereAllWasCached) {
    comfyui_.has_it_cached = true;
    EXPECT_THAT(run().faults, IsEmpty());
    EXPECT_THAT(notices_, ElementsAre(HasSubstr("ran no node")));
}

TEST_F(WorkflowRun, DoesWithoutAWebSocket) {
    for (const auto how : {ComfyUi::Socket::is_refused, ComfyUi::Socket::is_cut_in_the_run}) {
        comfyui_.socket = how;
        comfyui_.history_lag = 2;
        notices_.clear();
        EXPECT_THAT(run().faults, IsEmpty());
        EXPECT_THAT(notices_, ElementsAre(HasSubstr("WebSocket")));
    }
}

TEST_F(WorkflowRun, ConvertsAWorkflowOfThePage) {
    const auto report = run(json::parse(R"({"nodes": [
        {"id": 1, "type": "EmptyImage", "widgets_values": [64, 48, 1, 0]},
        {"id": 2, "type": "SaveImage", "widgets_values": ["my prefix"],
         "inputs": [{"name": "images", "type": "IMAGE", "link": 1}]}],
        "links": [[1, 1, 0, 2, 0, "IMAGE"]]})"));
    EXPECT_THAT(report.faults, IsEmpty());
    ASSERT_THAT(report.outputs, SizeIs(1));
    EXPECT_EQ(report.outputs[0].file, "sub/b 1.png");
    EXPECT_EQ(report.outputs[0].url,
              comfyui_.url() + "/view?filename=b%201.png&subfolder=sub&type=output");
    const auto prompt = comfyui_.prompts().at(0)["prompt"];
    EXPECT_EQ(prompt["2"]["inputs"]["filename_prefix"], "my prefix");
    EXPECT_EQ(prompt["1"]["inputs"]["height"], 48);
}

TEST_F(WorkflowRun, NamesEveryMissingClassAndModelAtOnce) {
    comfyui_.add_class(
        "Loader", {{"required", {{"ckpt_name", Info::array({Info::array({"a.safetensors"})})}}}},
        {"MODEL"});
    const auto report =
        run({{"1", empty_image()},
             {"2", taking("NoSuchNode", "image", "1")},
             {"3", taking("NorThis", "image", "2")},
             {"4", taking("SaveImage", "images", "3")},
             {"5", {{"class_type", "Loader"}, {"inputs", {{"ckpt_name", "b.safetensors"}}}}}});
    ASSERT_THAT(report.faults, SizeIs(2));
    EXPECT_EQ(report.faults[0].message, "ComfyUI has no nodes NoSuchNode, NorThis");
    EXPECT_EQ(report.faults[0].node, "2");
    EXPECT_THAT(report.faults[0].also, ElementsAre("3"));
    EXPECT_EQ(report.faults[0].details, "2 NoSuchNode\n3 NorThis\n");
    EXPECT_THAT(report.faults[0].hint, HasSubstr("custom_nodes"));
    EXPECT_EQ(report.faults[1].message, "the model b.safetensors is missing");
    EXPECT_EQ(report.faults[1].input, "ckpt_name");
    EXPECT_THAT(report.faults[1].hint, HasSubstr("models/checkpoints"));
    EXPECT_THAT(report.faults[1].hint, HasSubstr("did you mean a.safetensors?"));
    EXPECT_THAT(comfyui_.prompts(), IsEmpty());
}

json page_node(const std::string& class_type, const json& properties) {
    json node{{"id", 1}, {"type", class_type}};
    node["properties"] = properties;
    return {{"nodes", json::array({node})}, {"links", json::array()}};
}

TEST_F(WorkflowRun, NamesThePackOfTheTemplateThatProvidesANode) {
    tmpl::Template pod;
    pod.custom_nodes = {
        {.source = tmpl::GitNode{"https://github.com/cubiq/ComfyUI_InstantID.git", "", true},
         .name = "ComfyUI_InstantID",
         .ignore_requirements = {}},
        {.source = tmpl::RegistryNode{"comfyui-inspire-pack", ""},
         .name = "inspire",
         .ignore_requirements = {}}};
    target_.pod = &pod;
    comfyui_.log = {
        "Cannot import /x/custom_nodes/ComfyUI_InstantID module for custom nodes: "
        "No module named 'insightface'",
        "   0.1 seconds (IMPORT FAILED): /x/custom_nodes/ComfyUI_InstantID"};
    EXPECT_EQ(
        fault(page_node("InstantIDFaceAnalysis", {{"aux_id", "cubiq/ComfyUI_InstantID"}})).hint,
        "custom_nodes[0] of the template (ComfyUI_InstantID) provides it, and could not be "
        "imported: No module named 'insightface'");
    EXPECT_THAT(fault(page_node("X", {{"cnr_id", "comfyui-inspire-pack"}})).hint,
                HasSubstr("custom_nodes[1] of the template (inspire) provides it"));
    EXPECT_THAT(fault(page_node("X", {{"cnr_id", "other-pack"}})).hint,
                HasSubstr("custom_nodes: {registry: other-pack}; ComfyUI_InstantID could not"));
    EXPECT_THAT(fault(page_node("X", {{"aux_id", "user/repo"}})).hint,
                HasSubstr("https://github.com/user/repo"));
    EXPECT_THAT(fault(page_node("X", {{"cnr_id", "comfy-core"}})).hint, HasSubstr("comfyui.ref"));
}

json loader(const std::string& class_type, const std::string& input, const std::string& file) {
    return {{"1", empty_image()},
            {"2", taking("PreviewImage", "images", "1")},
            {"3", {{"class_type", class_type}, {"inputs", json::object({{input, file}})}}},
            {"4", taking("PreviewImage", "images", "3")}};
}

TEST_F(WorkflowRun, NamesTheFolderOfAMissingModelByWhatTheInputOffers) {
    comfyui_.models = {
        {"checkpoints", {"c.safetensors"}}, {"ipadapter", {"one.bin", "two.bin"}}, {"vae", {}}};
    comfyui_.add_class("IPAdapterModelLoader",
                       {{"required", {{"ipadapter_file", {{"None", "one.bin", "two.bin"}}}}}},
                       {"IMAGE"});
    const auto found = fault(loader("IPAdapterModelLoader", "ipadapter_file", "plus.bin"));
    EXPECT_EQ(found.node, "3");
    EXPECT_EQ(found.message, "the model plus.bin is missing");
    EXPECT_THAT(found.hint, HasSubstr("it belongs into models/ipadapter;"));
}

TEST_F(WorkflowRun, NamesTheModelOfTheTemplateThatProvidesIt) {
    tmpl::Template pod;
    for (const auto* source :
         {"https://x.example/a.safetensors", "hf:org/repo/sub/Face.safetensors", "civitai:1"}) {
        tmpl::Model model;
        model.source = source;
        pod.models.push_back(model);
    }
    pod.models.back().name = "named.safetensors";
    target_.pod = &pod;
    comfyui_.add_class("Loader", {{"required", {{"vae_name", Info::array({Info::array()})}}}},
                       {"IMAGE"});
    EXPECT_THAT(fault(loader("Loader", "vae_name", "face.safetensors")).hint,
                HasSubstr("models[1] of the template provides it"));
    EXPECT_THAT(fault(loader("Loader", "vae_name", "x/named.safetensors")).hint,
                HasSubstr("models[2] of the template"));
    EXPECT_THAT(fault(loader("Loader", "vae_name", "none.safetensors")).hint,
                HasSubstr("models: {source: …, to: vae}"));
}

// ComfyUI does not check such a choice, and would run into it.
TEST_F(WorkflowRun, FindsAMissingModelThatComfyUiWouldNotMiss) {
    comfyui_.add_class("UpscaleModelLoader",
                       {{"required", {{"model_name", {"COMBO", {{"options", {"a.pth"}}}}}}}},
                       {"IMAGE"});
    const auto found = fault(loader("UpscaleModelLoader", "model_name", "4x.pth"));
    EXPECT_EQ(found.message, "the model 4x.pth is missing");
    EXPECT_THAT(found.hint, HasSubstr("models/upscale_models"));
    EXPECT_THAT(comfyui_.prompts(), IsEmpty());
}

TEST_F(WorkflowRun, AWorkflowThatIsTakenInPartFailsAndIsTakenBack) {
    comfyui_.add_class("Mode",
                       {{"required", {{"mode", Info::array({Info::array({"fast", "fine"})})}}}},
                       {"IMAGE"});
    comfyui_.end = ComfyUi::End::never_comes;
    const auto found = fault(loader("Mode", "mode", "slow"));
    EXPECT_EQ(found.message, "slow is not among its choices");
    EXPECT_EQ(found.hint, "it takes: fast, fine");
    ASSERT_THAT(comfyui_.interrupts(), SizeIs(1));
    EXPECT_EQ(comfyui_.interrupts()[0]["prompt_id"], comfyui_.prompts().at(0)["prompt_id"]);
    EXPECT_THAT(comfyui_.running(), IsEmpty());
}

TEST_F(WorkflowRun, TellsOfEveryInputThatIsRefused) {
    const auto report = run({{"1", {{"class_type", "EmptyImage"}, {"inputs", json::object()}}},
                             {"2", taking("PreviewImage", "images", "1")}});
    ASSERT_THAT(report.faults, SizeIs(4));
    EXPECT_EQ(report.faults[0].message, "Required input is missing: width");
    EXPECT_EQ(report.faults[0].node, "1");
}

TEST_F(WorkflowRun, TellsOfLinksThatLeadNowhere) {
    // Neither ComfyUI nor this one looks at them before it falls over.
    comfyui_.add_class("PreviewImage", {{"required", {{"other", {"IMAGE"}}}}}, {}, true);
    const auto report = run({{"1", taking("ImageInvert", "image", "2")},
                             {"2", taking("ImageInvert", "image", "1")},
                             {"3", taking("PreviewImage", "images", "99")}});
    ASSERT_THAT(report.faults, SizeIs(3));
    EXPECT_EQ(report.faults[0].message,
              "it is linked to node 99, which the workflow does not have");
    EXPECT_EQ(report.faults[1].message, "the links go in a circle: nodes 1, 2");
}

TEST_F(WorkflowRun, TellsWhichNodeFailed) {
    comfyui_.fails["ImageInvert"] = "CUDA out of memory\n\n";
    const auto found = fault();
    EXPECT_EQ(found.node, "2");
    EXPECT_EQ(found.class_type, "ImageInvert");
    EXPECT_EQ(found.message, "RuntimeError: CUDA out of memory");
    EXPECT_THAT(found.hint, HasSubstr("too little memory"));
    EXPECT_THAT(found.details, HasSubstr("nodes.py"));
}

TEST_F(WorkflowRun, ARunThatMakesNothingFails) {
    comfyui_.made.clear();
    EXPECT_THAT(fault().message, HasSubstr("made nothing"));
    EXPECT_THAT(fault({{"1", empty_image()}}).message, HasSubstr("Prompt has no outputs"));
}

TEST_F(WorkflowRun, AnOutputThatIsBrokenOrGoneFails) {
    comfyui_.files["temp//a.png"].pop_back();
    EXPECT_THAT(fault().message, HasSubstr("a.png is a png that is cut off"));
    comfyui_.files["temp//a.png"] = "<html>";
    EXPECT_THAT(fault().message, HasSubstr("a.png is no image"));
    comfyui_.files.clear();
    const auto gone = fault();
    EXPECT_EQ(gone.node, "3");
    EXPECT_EQ(gone.message, "its output a.png cannot be had: /view answered 404");
}

TEST_F(WorkflowRun, TakesVideosAndTextsForOutputs) {
    comfyui_.made["PreviewImage"] = {
        {"gifs", {{{"filename", "v.mp4"}, {"subfolder", ""}, {"type", "output"}}}},
        {"animated", json::array({true})},
        {"text", json::array({"a caption"})}};
    comfyui_.files["output//v.mp4"] = podctl::test::mp4_bytes();
    const auto report = run();
    EXPECT_THAT(report.faults, IsEmpty());
    ASSERT_THAT(report.outputs, SizeIs(2));
    EXPECT_EQ(report.outputs[0].format, "mp4");
    EXPECT_EQ(report.outputs[1].format, "text");
    EXPECT_EQ(report.outputs[1].text, "a caption");
}

TEST_F(WorkflowRun, TellsThatComfyUiIsNotThere) {
    target_.url = "http://127.0.0.1:1";
    const auto nobody = run();
    ASSERT_THAT(nobody.faults, SizeIs(1));
    EXPECT_THAT(nobody.faults[0].message, HasSubstr("ComfyUI cannot be reached"));
    EXPECT_THAT(nobody.faults[0].hint, HasSubstr("podctl up"));
    comfyui_.is_starting = true;
    target_.url = comfyui_.url();
    EXPECT_THAT(fault().message, HasSubstr("not ready"));
    EXPECT_THAT(fault().message, HasSubstr("503: provisioning"));
    const podctl::test::HttpServer page{
        [](const auto&) { return podctl::test::Response{.body = "<html>"}; }};
    target_.url = page.url();
    EXPECT_THAT(run().faults.at(0).message, HasSubstr("not JSON"));
}

TEST_F(WorkflowRun, TellsThatComfyUiDiedInTheRun) {
    comfyui_.on_queued = [&] { comfyui_.is_dead = true; };
    target_.patience = 50ms;
    EXPECT_THAT(fault().message, HasSubstr("ComfyUI no longer answers"));
}

TEST_F(WorkflowRun, TellsThatComfyUiForgotTheWorkflow) {
    comfyui_.end = ComfyUi::End::is_forgotten;
    EXPECT_THAT(fault().message, HasSubstr("no longer knows the workflow"));
}

TEST_F(WorkflowRun, EndsWithItsTimeAndTakesThePromptBack) {
    comfyui_.end = ComfyUi::End::never_comes;
    request_.timeout = 500ms;
    EXPECT_THAT(fault().message, HasSubstr("the time is over: node 3 (PreviewImage) was running"));
    EXPECT_THAT(comfyui_.interrupts(), SizeIs(1));
    EXPECT_THAT(comfyui_.requests("/queue"),
                Contains(::testing::Field(&podctl::test::Request::body, HasSubstr("\"delete\""))));
}

TEST_F(WorkflowRun, AStopTakesThePromptBack) {
    for (const auto socket : {ComfyUi::Socket::works, ComfyUi::Socket::is_refused}) {
        comfyui_.socket = socket;
        comfyui_.end = ComfyUi::End::never_comes;
        stop_ = std::stop_source{};
        comfyui_.on_queued = [&] { stop_.request_stop(); };
        EXPECT_EQ(podctl::test::error_of([&] { run(); }).kind(), ErrorKind::interrupted);
    }
    EXPECT_THAT(comfyui_.interrupts(), SizeIs(2));
}

}  // namespace
}  // namespace podctl::comfy
