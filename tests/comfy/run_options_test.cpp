#include "podctl/base/file.hpp"

#include "run_test.hpp"

// What a run may be told: values, files, what ComfyUI has to forget, where its files go.
namespace podctl::comfy {
namespace {

using namespace std::chrono_literals;
using namespace test;
using podctl::test::error_of;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using State = event::WorkflowNode::State;

class RunOptions : public RunTest {
protected:
    std::vector<State> states(const RunReport& report) const {
        std::vector<State> found;
        for (const auto& node : report.nodes)
            found.push_back(node.state);
        return found;
    }

    podctl::test::TempDir dir_;
};

json saved_by_page() {
    return json::parse(R"({"nodes": [
        {"id": 1, "type": "EmptyImage", "widgets_values": [64, 48, 1, 0]},
        {"id": 2, "type": "SaveImage", "widgets_values": ["x"],
         "inputs": [{"name": "images", "type": "IMAGE", "link": 1}]}],
        "links": [[1, 1, 0, 2, 0, "IMAGE"]]})");
}

TEST_F(RunOptions, SendsTheWorkflowAlongSoThatPicturesCarryIt) {
    run(saved_by_page());
    const auto extra = comfyui_.prompts().at(0)["extra_data"];
    EXPECT_EQ(extra["extra_pnginfo"]["workflow"], saved_by_page());
    EXPECT_FALSE(extra.contains("api_key_comfy_org"));
    // The API format has no workflow that a page could open.
    request_.workflow = read({{"1", empty_image()}, {"2", taking("SaveImage", "images", "1")}});
    run();
    EXPECT_EQ(comfyui_.prompts().at(1)["extra_data"], json::object());
}

TEST_F(RunOptions, TellsWhatBecameOfEachNode) {
    const auto well = run();
    EXPECT_EQ(states(well), (std::vector{State::ran, State::ran, State::ran}));
    comfyui_.fails["ImageInvert"] = "no";
    const auto ill = run();
    EXPECT_EQ(states(ill), (std::vector{State::ran, State::failed, State::not_run}));
    comfyui_.socket = ComfyUi::Socket::is_refused;
    EXPECT_EQ(states(run()), states(ill));
    comfyui_.fails.clear();
    EXPECT_EQ(states(run()), states(well));
}

TEST_F(RunOptions, WhatMustNotComeFromTheCacheIsForgottenFirst) {
    comfyui_.has_it_cached = true;
    request_.cache = RunRequest::Cache::must_not_answer;
    EXPECT_EQ(states(run()), (std::vector{State::ran, State::ran, State::ran}));
    EXPECT_EQ(json::parse(comfyui_.requests("/free").at(0).body),
              json::parse(R"({"unload_models": false, "free_memory": true})"));
    EXPECT_THAT(comfyui_.prompts(), SizeIs(1));
    EXPECT_THAT(notices_, IsEmpty());
}

// ComfyUI comes to it between two prompts: one that is queued at once is answered before.
TEST_F(RunOptions, APromptThatOvertookTheForgettingIsRunAgain) {
    comfyui_.has_it_cached = true;
    comfyui_.forgets = ComfyUi::Forgets::after_the_next_prompt;
    request_.cache = RunRequest::Cache::must_not_answer;
    const auto report = run();
    EXPECT_THAT(report.faults, IsEmpty());
    EXPECT_EQ(states(report), (std::vector{State::ran, State::ran, State::ran}));
    EXPECT_THAT(comfyui_.prompts(), SizeIs(2));
}

TEST_F(RunOptions, WhatComfyUiCannotForgetIsNoTest) {
    comfyui_.has_it_cached = true;
    comfyui_.forgets = ComfyUi::Forgets::never;
    request_.cache = RunRequest::Cache::must_not_answer;
    const auto found = fault();
    EXPECT_THAT(found.message, HasSubstr("did not run it"));
    EXPECT_EQ(found.node, "1");
    EXPECT_THAT(found.also, ElementsAre("2", "3"));
    EXPECT_THAT(found.hint, HasSubstr("--cached"));
}

TEST_F(RunOptions, SetsValuesByIdTitleAndClass) {
    request_.values = {{"1.width", "32"}, {"SaveImage.filename_prefix", "a.b=c"}};
    run(saved_by_page());
    EXPECT_EQ(prompt()["1"]["inputs"]["width"], 32);
    EXPECT_EQ(prompt()["2"]["inputs"]["filename_prefix"], "a.b=c");
    request_.values = {{"EmptyImage.widht", "32"}};
    const auto error = error_of([&] { run(saved_by_page()); });
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_EQ(error.hint(), "did you mean width?");
    EXPECT_THAT(comfyui_.prompts(), SizeIs(1));
}

class Uploads : public RunOptions {
protected:
    void SetUp() override {
        comfyui_.add_class(
            "LoadImage",
            {{"required",
              {{"image", Info::array({Info::array({"old.png"}), {{"image_upload", true}}})}}}},
            {"IMAGE"});
        write_file_atomically(dir_ / "me.png", "one");
    }
    json workflow(const std::string& file) const {
        return {{"1", {{"class_type", "LoadImage"}, {"inputs", {{"image", file}}}}},
                {"2", taking("PreviewImage", "images", "1")}};
    }
};

TEST_F(Uploads, AFileGoesWhereTheWorkflowNamesIt) {
    request_.files = {{dir_ / "me.png"}};
    EXPECT_THAT(run(workflow("me.png")).faults, IsEmpty());
    EXPECT_EQ(comfyui_.uploads().at("me.png"), "one");
    // Another file of the name is there: ComfyUI keeps both, and says what ours is called.
    write_file_atomically(dir_ / "me.png", "two");
    EXPECT_THAT(run(workflow("me.png")).faults, IsEmpty());
    EXPECT_EQ(comfyui_.uploads().at("me.png"), "one");
    EXPECT_EQ(prompt(1)["1"]["inputs"]["image"], "me (1).png");
}

TEST_F(Uploads, AFileGoesIntoTheInputThatIsNamed) {
    request_.files = {{dir_ / "me.png", "LoadImage.image"}};
    EXPECT_THAT(run(workflow("old.png")).faults, IsEmpty());
    EXPECT_EQ(prompt()["1"]["inputs"]["image"], "me.png");
}

TEST_F(Uploads, AFileIsBroughtOnceForAllRuns) {
    request_.files = {{dir_ / "me.png"}};
    target_.url = comfyui_.url();
    request_.workflow = read(workflow("me.png"));
    WorkflowRunner runner{target_, http_, monitor_, {}};
    EXPECT_THAT(runner.run(request_).faults, IsEmpty());
    EXPECT_THAT(runner.run(request_).faults, IsEmpty());
    EXPECT_THAT(comfyui_.requests("/upload/image"), SizeIs(1));
}

TEST_F(Uploads, AFileThatNoInputNamesIsAFault) {
    request_.files = {{dir_ / "me.png"}};
    const auto found = fault(workflow("old.png"));
    EXPECT_THAT(found.message, HasSubstr("me.png was brought, and no input"));
    EXPECT_THAT(comfyui_.prompts(), IsEmpty());
}

TEST_F(Uploads, AFileThatIsNotThereIsAnError) {
    request_.files = {{dir_ / "none.png"}};
    EXPECT_EQ(error_of([&] { run(workflow("old.png")); }).kind(), ErrorKind::not_found);
    EXPECT_THAT(comfyui_.prompts(), IsEmpty());
}

TEST_F(RunOptions, NodesThatCostMoneyAreNamedAndNotRun) {
    comfyui_.add_class("Paid", {{"required", {{"image", {"IMAGE"}}}}}, {"IMAGE"});
    comfyui_.classes["Paid"]["api_node"] = true;
    const json workflow{{"1", empty_image()},
                        {"2", taking("Paid", "image", "1")},
                        {"3", taking("PreviewImage", "images", "2")}};
    target_.api_key = Secret{"key-123"};
    const auto found = fault(workflow);
    EXPECT_EQ(found.node, "2");
    EXPECT_THAT(found.message, HasSubstr("cost money: Paid"));
    EXPECT_THAT(found.hint, HasSubstr("--allow-api-nodes"));
    EXPECT_THAT(comfyui_.prompts(), IsEmpty());
    request_.api_nodes = RunRequest::ApiNodes::allowed;
    EXPECT_THAT(run(workflow).faults, IsEmpty());
    EXPECT_EQ(comfyui_.prompts().at(0)["extra_data"]["api_key_comfy_org"], "key-123");
}

TEST_F(RunOptions, SavesWhatWasMadeUnderItsNames) {
    request_.save_to = dir_ / "out";
    const auto report = run(saved_by_page());
    ASSERT_THAT(report.outputs, SizeIs(1));
    EXPECT_EQ(report.outputs[0].path, dir_ / "out/sub/b 1.png");
    EXPECT_EQ(report.outputs[0].width, 32u);
    EXPECT_EQ(read_file(dir_ / "out/sub/b 1.png"), comfyui_.files.at("output/sub/b 1.png"));
    // The same again is there already; another file of the name gets a number.
    EXPECT_EQ(run(saved_by_page()).outputs.at(0).path, dir_ / "out/sub/b 1.png");
    comfyui_.files["output/sub/b 1.png"] = podctl::test::png_bytes(8, 8);
    EXPECT_EQ(run(saved_by_page()).outputs.at(0).path, dir_ / "out/sub/b 1.2.png");
    EXPECT_EQ(read_file(dir_ / "out/sub/b 1.png"), podctl::test::png_bytes(32, 32));
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_ / "out"))
        if (entry.is_regular_file()) names.push_back(entry.path().filename());
    EXPECT_THAT(names, ::testing::UnorderedElementsAre("b 1.png", "b 1.2.png"));
}

TEST_F(RunOptions, WhatAServerCallsAFileLeadsNowhereElse) {
    request_.save_to = dir_ / "out";
    comfyui_.made["PreviewImage"] = {
        {"images",
         {{{"filename", "../../x.png"}, {"subfolder", "../.."}, {"type", "../../output"}},
          {{"filename", "/etc/x.png"}, {"subfolder", ""}, {"type", "output"}}}}};
    comfyui_.files["../../output/../../../../x.png"] = podctl::test::png_bytes(8, 8);
    comfyui_.files["output//etc/x.png"] = podctl::test::png_bytes(8, 8);
    comfyui_.files["output///etc/x.png"] = podctl::test::png_bytes(8, 8);
    for (const auto& output : run().outputs)
        EXPECT_THAT(output.path, ::testing::StartsWith((dir_ / "out/").string()));
    EXPECT_FALSE(std::filesystem::exists(dir_ / "x.png"));
}

TEST_F(RunOptions, AFileThatIsCutOffGoesOnWhereItWas) {
    auto whole = podctl::test::png_bytes(32, 32);
    whole.insert(whole.size() - 12, std::string(3 << 20, 'x'));
    std::atomic<int> asked = 0;
    const podctl::test::HttpServer proxy{[&](const podctl::test::Request& request) {
        if (request.path != "/view") {
            http::Client http;
            const auto answer = http.send({.url = comfyui_.url() + request.target,
                                           .method = request.method,
                                           .body = request.body});
            return podctl::test::Response{.status = answer.status, .body = answer.body};
        }
        auto answer = podctl::test::serve_bytes(request, whole);
        if (asked++ == 0) answer.cut_after = 2 << 20;
        return answer;
    }};
    target_.url = proxy.url();
    request_.save_to = dir_ / "out";
    EXPECT_THAT(run(saved_by_page()).outputs, SizeIs(1));
    EXPECT_EQ(read_file(dir_ / "out/sub/b 1.png"), whole);
    EXPECT_LT(proxy.body_bytes_sent(), whole.size() + (1 << 20));
}

TEST_F(RunOptions, WhatKeepsOneFileFromComingKeepsNoOtherOneAway) {
    request_.save_to = dir_ / "out";
    write_file_atomically(dir_ / "out/sub", "a file where a folder ought to be");
    comfyui_.made["SaveImage"] = {
        {"images",
         {{{"filename", "b 1.png"}, {"subfolder", "sub"}, {"type", "output"}},
          {{"filename", "c.png"}, {"subfolder", ""}, {"type", "output"}}}}};
    comfyui_.files["output//c.png"] = podctl::test::png_bytes(8, 8);
    const auto report = run(saved_by_page());
    ASSERT_THAT(report.faults, SizeIs(1));
    EXPECT_THAT(report.faults[0].message, HasSubstr("b 1.png cannot be had"));
    ASSERT_THAT(report.outputs, SizeIs(1));
    EXPECT_EQ(report.outputs[0].path, dir_ / "out/c.png");
}

TEST_F(RunOptions, WhatIsBrokenGetsNoGoodName) {
    request_.save_to = dir_ / "out";
    comfyui_.files["output/sub/b 1.png"].resize(30);
    EXPECT_THAT(fault(saved_by_page()).message, HasSubstr("cut off"));
    EXPECT_TRUE(std::filesystem::is_empty(dir_ / "out/sub"));
}

// A redirect would make a GET of POST /prompt, and a WebSocket follows none.
TEST_F(RunOptions, GoesWhereTheUrlLeads) {
    const podctl::test::HttpServer door{[&](const podctl::test::Request& request) {
        return podctl::test::Response{.status = 301,
                                      .headers = {{"Location", comfyui_.url() + request.target}}};
    }};
    target_.url = door.url();
    comfyui_.history_lag = 3;
    EXPECT_THAT(run().faults, IsEmpty());
    EXPECT_THAT(notices_, ElementsAre(HasSubstr("leads to " + comfyui_.url())));
    EXPECT_THAT(door.requests(), SizeIs(1));
    EXPECT_THAT(comfyui_.requests("/ws"), SizeIs(1));
}

// Every POST holds something that is for the place that was named alone.
TEST_F(RunOptions, APostIsTakenNowhereElse) {
    const podctl::test::HttpServer thief{
        [](const podctl::test::Request&) { return podctl::test::Response{}; }};
    const podctl::test::HttpServer door{[&](const podctl::test::Request& request) {
        if (request.method == "POST")
            return podctl::test::Response{.status = 307,
                                          .headers = {{"Location", thief.url(request.path)}}};
        http::Client http;
        const auto answer = http.send({.url = comfyui_.url() + request.target});
        return podctl::test::Response{.status = answer.status, .body = answer.body};
    }};
    target_.url = door.url();
    target_.api_key = Secret{"key-123"};
    EXPECT_THAT(fault().message, HasSubstr("a redirect to " + thief.url("/prompt")));
    EXPECT_THAT(thief.requests(), IsEmpty());
}

TEST_F(RunOptions, TheKeyDoesNotGoWhereTheUrlOnlyLeads) {
    const podctl::test::HttpServer door{[&](const podctl::test::Request& request) {
        return podctl::test::Response{.status = 302,
                                      .headers = {{"Location", comfyui_.url() + request.target}}};
    }};
    target_.url = door.url();
    target_.api_key = Secret{"key-123"};
    EXPECT_THAT(run().faults, IsEmpty());
    EXPECT_FALSE(comfyui_.prompts().at(0)["extra_data"].contains("api_key_comfy_org"));
    EXPECT_THAT(notices_, Contains(HasSubstr("$COMFY_API_KEY: it is not sent")));
}

TEST_F(RunOptions, SaysHowToGetThroughADoor) {
    const podctl::test::HttpServer door{[](const podctl::test::Request&) {
        return podctl::test::Response{.status = 401, .body = "who are you?"};
    }};
    target_.url = door.url();
    const auto found = fault();
    EXPECT_THAT(found.message, HasSubstr("answered 401"));
    EXPECT_THAT(found.hint, HasSubstr("a user and a password in --url"));
    EXPECT_THAT(found.hint, HasSubstr("--header"));
}

TEST_F(RunOptions, WaitsUntilComfyUiIsThere) {
    std::atomic<int> asked = 0;
    const podctl::test::HttpServer door{[&](const podctl::test::Request& request) {
        if (asked++ < 2) return podctl::test::Response{.status = 503, .body = "provisioning"};
        return podctl::test::Response{.status = 301,
                                      .headers = {{"Location", comfyui_.url() + request.target}}};
    }};
    target_.url = door.url();
    target_.wait = 30s;
    EXPECT_THAT(run().faults, IsEmpty());
    EXPECT_THAT(notices_, Contains(HasSubstr("waiting for ComfyUI")));
}

TEST_F(RunOptions, TellsBehindHowManyItWaits) {
    comfyui_.others = {"theirs-1", "theirs-2", "theirs-3"};
    comfyui_.others_last = 1;
    comfyui_.end = ComfyUi::End::never_comes;
    request_.timeout = 5s;
    EXPECT_THAT(fault().message, HasSubstr("the time is over"));
    EXPECT_THAT(notices_, Contains("waits behind 3 others"));
}

}  // namespace
}  // namespace podctl::comfy
