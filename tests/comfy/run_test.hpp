#pragma once

#include "podctl/base/error.hpp"
#include "podctl/comfy/workflow_run.hpp"

#include "support/comfyui.hpp"
#include "support/error_of.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace podctl::comfy::test {

using nlohmann::json;
using podctl::test::ComfyUi;
using Info = ComfyUi::Info;

inline json empty_image() {
    return {{"class_type", "EmptyImage"},
            {"inputs", {{"width", 64}, {"height", 48}, {"batch_size", 1}, {"color", 0}}}};
}
inline json taking(const std::string& class_type, const std::string& input,
                   const std::string& source) {
    return {{"class_type", class_type}, {"inputs", {{input, json::array({source, 0})}}}};
}
inline workflow::Workflow read(const json& workflow) {
    return workflow::read_workflow(workflow.dump(), "test");
}

// Workflows on a ComfyUI of the test's own.
class RunTest : public ::testing::Test {
protected:
    // Without a workflow the built-in one.
    RunReport run(const json& workflow = {}) {
        if (target_.url.empty()) target_.url = comfyui_.url();
        if (!workflow.is_null()) request_.workflow = read(workflow);
        WorkflowRunner runner{target_, http_, monitor_, stop_.get_token()};
        return runner.run(request_);
    }
    event::WorkflowFault fault(const json& workflow = {}) {
        const auto report = run(workflow);
        EXPECT_THAT(report.faults, ::testing::SizeIs(1));
        return report.faults.empty() ? event::WorkflowFault{} : report.faults[0];
    }
    json prompt(std::size_t index = 0) const { return comfyui_.prompts().at(index)["prompt"]; }

    ComfyUi comfyui_;
    http::Client http_;
    RunTarget target_{.url = {}};
    RunRequest request_{.workflow = workflow::read_workflow(built_in_workflow(), "built-in"),
                        .timeout = std::chrono::seconds{60}};
    std::vector<std::string> progress_, notices_;
    std::stop_source stop_;
    RunMonitor monitor_{
        .on_progress =
            [this](std::uint64_t done, std::uint64_t total, const std::string& detail) {
                progress_.push_back(std::to_string(done) + "/" + std::to_string(total) +
                                    (detail.empty() ? "" : " " + detail));
            },
        .on_notice = [this](const std::string& text) { notices_.push_back(text); }};
};

}  // namespace podctl::comfy::test
