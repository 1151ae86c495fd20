#include "podctl/comfy/comfy.hpp"

#include <gtest/gtest.h>

namespace podctl::comfy {
namespace {

TEST(ImportReport, NamesTheNodeAndTheReasonGivenBefore) {
    ImportReport report;
    EXPECT_FALSE(report.read("ModuleNotFoundError: No module named 'cv2'"));
    EXPECT_FALSE(
        report.read("Cannot import /w/ComfyUI/custom_nodes/bad module for custom nodes: "
                    "No module named 'cv2'"));
    EXPECT_FALSE(report.read("Import times for custom nodes:"));
    EXPECT_FALSE(report.read("   0.0 seconds: /w/ComfyUI/custom_nodes/good"));
    const auto failed = report.read("   0.0 seconds (IMPORT FAILED): /w/ComfyUI/custom_nodes/bad");
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->node, "bad");
    EXPECT_EQ(failed->reason, "No module named 'cv2'");
}

TEST(ImportReport, ReadsLinesWithAColouredLevelBefore) {
    ImportReport report;
    EXPECT_FALSE(
        report.read("\x1b[33m[WARNING]\x1b[0m Cannot import /w/custom_nodes/bad module "
                    "for custom nodes: no GPU\r"));
    const auto failed =
        report.read("\x1b[32m[INFO]\x1b[0m   12.5 seconds (IMPORT FAILED): /w/custom_nodes/bad\r");
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->node, "bad");
    EXPECT_EQ(failed->reason, "no GPU");
}

TEST(ImportReport, KeepsAPathWithSpacesAndColons) {
    ImportReport report;
    const auto failed =
        report.read("   0.0 seconds (IMPORT FAILED): /Volumes/T7 Shield/a: b/custom_nodes/My Node");
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->node, "My Node");
    EXPECT_EQ(failed->reason, "");
}

TEST(ImportReport, SaysWhenAPackHasNoNodes) {
    ImportReport report;
    EXPECT_FALSE(
        report.read("Skip /w/custom_nodes/empty module for custom nodes due to the lack of "
                    "NODE_CLASS_MAPPINGS or NODES_LIST (need one)."));
    const auto failed = report.read("   0.0 seconds (IMPORT FAILED): /w/custom_nodes/empty");
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->reason, "it has no NODE_CLASS_MAPPINGS");
}

TEST(ImportReport, ReportsAFailedPrestartupScript) {
    ImportReport report;
    EXPECT_FALSE(
        report.read("Failed to execute startup-script: "
                    "/w/custom_nodes/bad/prestartup_script.py / division by zero"));
    const auto failed = report.read("   0.1 seconds (PRESTARTUP FAILED): /w/custom_nodes/bad");
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->node, "bad");
    EXPECT_EQ(failed->reason, "prestartup_script.py: division by zero");
}

constexpr const char* traceback[] = {
    "Traceback (most recent call last):",
    "  File \"/w/ComfyUI/nodes.py\", line 2131, in load_custom_node",
    "    module_spec.loader.exec_module(module)",
    "  File \"/w/ComfyUI/custom_nodes/pack/__init__.py\", line 1, in <module>",
    "    from .nodes import loader",
    "  File \"/w/ComfyUI/custom_nodes/pack/nodes/loader.py\", line 12, in <module>",
    "    import cv2",
    "  File \"/usr/lib/python3/cv2/__init__.py\", line 5, in <module>",
    "    ^^^^^^",
    "ModuleNotFoundError: No module named 'cv2'",
    ""};
constexpr const char* told = "ModuleNotFoundError: No module named 'cv2' (nodes/loader.py:12)";

TEST(ImportReport, SaysWhereInThePackTheExceptionIsFrom) {
    ImportReport report;
    for (const char* line : traceback)
        EXPECT_FALSE(report.read(line));
    report.read(
        "Cannot import /w/ComfyUI/custom_nodes/pack module for custom nodes: "
        "No module named 'cv2'");
    const auto failed = report.read("   0.0 seconds (IMPORT FAILED): /w/ComfyUI/custom_nodes/pack");
    ASSERT_TRUE(failed);
    EXPECT_FALSE(failed->loads);
    EXPECT_EQ(failed->reason, told);
}

TEST(ImportReport, SaysTheTypeOfAnExceptionWithoutText) {
    ImportReport report;
    report.read(traceback[0]);
    report.read(traceback[3]);
    report.read("AssertionError");
    report.read("Cannot import /w/ComfyUI/custom_nodes/pack module for custom nodes: ");
    const auto failed = report.read("   0.0 seconds (IMPORT FAILED): /w/ComfyUI/custom_nodes/pack");
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->reason, "AssertionError (__init__.py:1)");
}

TEST(ImportReport, TellsThePartThatAPackLoadsWithout) {
    ImportReport report;
    for (const char* line : traceback)
        report.read(line);
    EXPECT_FALSE(report.read("   0.0 seconds: /w/ComfyUI/custom_nodes/other"));
    const auto part = report.read("   0.3 seconds: /w/ComfyUI/custom_nodes/pack");
    ASSERT_TRUE(part);
    EXPECT_TRUE(part->loads);
    EXPECT_EQ(part->node, "pack");
    EXPECT_EQ(part->reason, told);
    EXPECT_FALSE(report.read("   0.3 seconds: /w/ComfyUI/custom_nodes/pack"));
}

TEST(ImportReport, KnowsTheEntryPointsOfV3) {
    ImportReport report;
    const std::string failed = "   0.0 seconds (IMPORT FAILED): /w/custom_nodes/My Pack";
    report.read("Error while calling comfy_entrypoint in /w/custom_nodes/My Pack: no GPU");
    EXPECT_EQ(report.read(failed)->reason, "comfy_entrypoint: no GPU");
    report.read("comfy_entrypoint in /w/custom_nodes/My Pack is not callable, skipping.");
    EXPECT_EQ(report.read(failed)->reason, "comfy_entrypoint is not callable");
    report.read(
        "comfy_entrypoint in /w/custom_nodes/My Pack did not return a list of nodes, "
        "skipping.");
    EXPECT_EQ(report.read(failed)->reason, "comfy_entrypoint did not return a list of nodes");
}

TEST(ImportReport, DoesNotTakeProseForAReport) {
    ImportReport report;
    EXPECT_FALSE(report.read("a few seconds (IMPORT FAILED): /w/custom_nodes/bad"));
    EXPECT_FALSE(report.read(" seconds (IMPORT FAILED): "));
    EXPECT_FALSE(report.read("0.0 seconds (IMPORT FAILED)"));
    EXPECT_FALSE(report.read(""));
}

TEST(ImportReport, DoesNotGiveAnOldReasonAgain) {
    ImportReport report;
    report.read("Cannot import /w/custom_nodes/bad module for custom nodes: first");
    const std::string line = "   0.0 seconds (IMPORT FAILED): /w/custom_nodes/bad";
    ASSERT_EQ(report.read(line)->reason, "first");
    ASSERT_EQ(report.read(line)->reason, "");
}

}  // namespace
}  // namespace podctl::comfy
