#include "podctl/comfy/workflow_run.hpp"
#include "podctl/workflow/workflow.hpp"

#include <gtest/gtest.h>

namespace podctl::comfy {
namespace {

TEST(BuiltInWorkflow, IsAnotherEachTime) {
    EXPECT_NE(built_in_workflow(), built_in_workflow());
    const auto read = workflow::read_workflow(built_in_workflow(), "built-in");
    EXPECT_EQ(workflow::needs_of(read).nodes.size(), 3u);
}

}  // namespace
}  // namespace podctl::comfy
