#include "saved.hpp"

namespace podctl::workflow::test {
namespace {

using ::testing::HasSubstr;

TEST(Widgets, TheSeedsControlHasAPlaceInTheList) {
    EXPECT_EQ(inputs_of("Sample", {42, "randomize", 20, "euler", 7.5}),
              (json{{"seed", 42}, {"steps", 20}, {"sampler", "euler"}, {"cfg", 7.5}}));
    EXPECT_EQ(inputs_of("Pick", {"b", "fixed", "", 2.5}), (json{{"name", "b"}, {"weight", 2.5}}));
}

TEST(Widgets, NumbersAreThoseOfJavaScript) {
    const auto inputs = inputs_of("Sample", {18446744073709551615u, "fixed", 20.0, "euler", 7.5});
    EXPECT_EQ(inputs["seed"].get<double>(), 18446744073709551616.0);
    EXPECT_EQ(inputs_of("Sample", {1152921504606846977u, "fixed", 20})["seed"],
              1152921504606847000u);
    EXPECT_EQ(inputs_of("Sample", {-9007199254740993, "fixed", 20})["seed"], -9007199254740992);
    EXPECT_TRUE(inputs["steps"].is_number_integer());
    EXPECT_EQ(inputs["steps"], 20);
}

TEST(Widgets, AnUploadButtonStandsBehindWhatTheClassDeclares) {
    EXPECT_EQ(inputs_of("Load", {"a.png", "image", true}),
              (json{{"image", "a.png"}, {"mask", true}}));
    EXPECT_EQ(inputs_of("Load", {"a.png", "image"}), (json{{"image", "a.png"}, {"mask", false}}));
    Classes ordered;
    ordered.add(R"({"Load": {"input": {"required": {"image": [["a.png"], {"image_upload": true}]},
                                       "optional": {"mask": ["BOOLEAN", {"default": false}]}},
                             "input_order": {"required": ["image"], "optional": ["mask"]},
                             "has_intermediate_output": false}})");
    EXPECT_EQ(inputs_of("Load", {"a.png", true, "image"}, {}, ordered),
              (json{{"image", "a.png"}, {"mask", true}}));
}

TEST(Widgets, WhatIsNotSavedHasTheDefaultOfItsClassOrOfItsType) {
    EXPECT_EQ(inputs_of("Blur", {}), (json{{"radius", 3}, {"mode", "fast"}}));
    EXPECT_EQ(inputs_of("Text", {}), (json{{"text", ""}}));
    EXPECT_EQ(inputs_of("Text", {nullptr}), (json{{"text", ""}}));
    const auto classes = classes_of({{"Bare", R"({"required": {"n": ["INT"], "x": ["FLOAT"],
        "s": ["STRING"], "b": ["BOOLEAN"], "c": ["COLOR"], "none": [[]]}})"}});
    EXPECT_EQ(inputs_of("Bare", {}, {}, classes),
              (json{{"n", 0}, {"x", 0}, {"s", ""}, {"b", false}, {"c", "#000000"}}));
    EXPECT_FALSE(inputs_of("Bare", {1, 2, "", true, "#1", nullptr}, {}, classes).contains("none"));
}

TEST(Widgets, AnObjectInThePlaceOfTheListIsNotRead) {
    json one = node(1, "Blur");
    one["widgets_values"] = {{"radius", 9}, {"extra", "x"}};
    EXPECT_EQ(converted(saved({one}))["1"]["inputs"], (json{{"mode", "fast"}}));
    EXPECT_EQ(converted(saved({one}), classes_of({}, false))["1"]["inputs"],
              (json{{"radius", 3}, {"mode", "fast"}}));
}

TEST(Widgets, APlayerOfSoundIsSentByTheOlderPageAlone) {
    const std::map<std::string, std::string> inputs{
        {"SaveAudio", R"({"required": {"audio": ["AUDIO"], "prefix": ["STRING", {}]}})"}};
    const List values{"song"};
    EXPECT_EQ(inputs_of("SaveAudio", values, {}, classes_of(inputs, false)),
              (json{{"prefix", "song"}, {"audioUI", ""}}));
    EXPECT_EQ(inputs_of("SaveAudio", values, {}, classes_of(inputs)), (json{{"prefix", "song"}}));
}

TEST(Widgets, VideoHelpersAreSavedByName) {
    const auto classes = classes_of({{"VHS_VideoCombine", R"({"required": {"images": ["IMAGE"],
        "rate": ["FLOAT", {"default": 8}], "filename_prefix": ["STRING", {"default": "a"}],
        "format": [["gif", "mp4"], {"formats": {"mp4": [["pix_fmt", ["yuv", "rgb"]],
                                                        ["crf", "INT", {"default": 19}]]}}],
        "save_output": ["BOOLEAN", {"default": true}]}})"}});
    json one = node(1, "VHS_VideoCombine");
    one["widgets_values"] = {{"rate", 24}, {"format", "mp4"}, {"crf", 7}, {"force_size", "x"}};
    EXPECT_EQ(converted(saved({one}), classes)["1"]["inputs"], (json{{"rate", 24},
                                                                     {"filename_prefix", "a"},
                                                                     {"format", "mp4"},
                                                                     {"pix_fmt", "yuv"},
                                                                     {"crf", 7},
                                                                     {"save_output", true}}));
}

// A forced input was a widget once, and its value is still in old lists.
TEST(Widgets, ThePlaceOfAForcedInputIsPassedOver) {
    const auto classes = classes_of({{"Forced", R"({"required": {
        "text": ["STRING", {"forceInput": true}], "size": ["INT", {}], "seed": ["INT", {}]}})"}});
    EXPECT_EQ(inputs_of("Forced", {"old", 5, 6}, {}, classes), (json{{"size", 5}, {"seed", 6}}));
    EXPECT_EQ(inputs_of("Forced", {5, 6, "fixed", "more"}, {}, classes),
              (json{{"size", 5}, {"seed", 6}}));
}

const std::map<std::string, std::string>& dynamic_classes() {
    static const std::map<std::string, std::string> inputs{
        {"Write", R"({"required": {"images": ["IMAGE"], "format": ["COMFY_DYNAMICCOMBO_V3",
            {"options": [
                {"key": "auto", "inputs": {"required": {}}},
                {"key": "mp4", "inputs": {"required": {
                    "codec": ["COMBO", {"options": ["h264", "av1"]}],
                    "rate": ["COMFY_DYNAMICCOMBO_V3", {"options": [
                        {"key": "constant", "inputs": {"required": {"crf": ["INT", {"default": 9}]}}},
                        {"key": "none", "inputs": {}}]}]},
                    "optional": {"mask": ["MASK"]}}}]}],
            "name": ["STRING", {"default": "a"}]}})"},
        {"Many", R"({"required": {"in": ["COMFY_AUTOGROW_V3", {"template": {
            "input": {"required": {"v": ["FLOAT", {"default": 1}]}}, "prefix": "v", "min": 1,
            "max": 3}}], "last": ["INT", {"default": 7}]}})"},
    };
    return inputs;
}

TEST(DynamicCombo, BringsTheInputsOfItsChoice) {
    const auto classes = classes_of(dynamic_classes());
    EXPECT_EQ(inputs_of("Write", {"auto", "b"}, {}, classes),
              (json{{"format", "auto"}, {"name", "b"}}));
    EXPECT_EQ(inputs_of("Write", {"mp4", "av1", "constant", 30, "b"}, {}, classes),
              (json{{"format", "mp4"},
                    {"format.codec", "av1"},
                    {"format.rate", "constant"},
                    {"format.rate.crf", 30},
                    {"name", "b"}}));
    EXPECT_EQ(
        inputs_of("Write", {"mp4", "av1", "none", "b"}, {}, classes),
        (json{{"format", "mp4"}, {"format.codec", "av1"}, {"format.rate", "none"}, {"name", "b"}}));
    EXPECT_EQ(inputs_of("Write", {"gone", "b"}, {}, classes),
              (json{{"format", "gone"}, {"name", "b"}}));
}

TEST(DynamicCombo, KeepsTheLinksOfItsInputs) {
    const auto prompt = converted(
        saved({node(1, "Source"),
               node(2, "Write", {slot("format.mask", 1, "MASK"), slot("format.gone", 2, "MASK")},
                    {"mp4", "h264", "none", "b"})},
              {{1, 1, 0, 2, 0, "MASK"}, {2, 1, 0, 2, 1, "MASK"}}),
        classes_of(dynamic_classes()));
    EXPECT_EQ(prompt["2"]["inputs"]["format.mask"], (json{"1", 0}));
    EXPECT_FALSE(prompt["2"]["inputs"].contains("format.gone"));
}

TEST(Autogrow, HasOneMoreThanIsLinked) {
    const auto classes = classes_of(dynamic_classes());
    EXPECT_EQ(inputs_of("Many", {}, {}, classes), (json{{"in.v0", 1}, {"in.v1", 1}, {"last", 7}}));
    const auto prompt = converted(
        saved(
            {node(1, "Source"), node(2, "Many", {widget_slot("in.v1", 1, "FLOAT")}, {4, 5, 6, 8})},
            {{1, 1, 0, 2, 0, "FLOAT"}}),
        classes);
    EXPECT_EQ(prompt["2"]["inputs"]["in.v1"], (json{"1", 0}));
    EXPECT_TRUE(prompt["2"]["inputs"].contains("in.v2"));
}

TEST(Widgets, ThoseOfThePageAlone) {
    const auto classes = classes_of(
        {{"Compare", R"({"required": {"n": ["INT", {}], "view": ["IMAGECOMPARE", {}]}})"},
         {"Crop", R"({"required": {"box": ["BOUNDING_BOX", {"default":
                       {"x": 1, "y": 2, "width": 3, "height": 4}}], "n": ["INT", {}]}})"},
         {"Bend", R"({"required": {"curve": ["CURVE", {"default": {"points": [[0, 0]]}}]}})"}});
    EXPECT_EQ(inputs_of("Compare", {5}, {}, classes),
              (json{{"n", 5}, {"view", {{"__value__", {"", ""}}}}}));
    EXPECT_EQ(inputs_of("Crop", {{{"x", 9}}, 1, 2, 3, 4, 6}, {}, classes),
              (json{{"box", {{"x", 9}}}, {"n", 6}}));
    EXPECT_EQ(inputs_of("Bend", {json::array({json::array({1, 2})})}, {}, classes)["curve"],
              (json{{"__type__", "CURVE"}, {"__value__", json::array({json::array({1, 2})})}}));
}

TEST(Widgets, ACustomChoiceSendsItsOptions) {
    const auto classes = classes_of({{"CustomCombo", R"({"required": {"choice": [[]]}})"}});
    EXPECT_EQ(inputs_of("CustomCombo", {"two", 1, "one", "two", ""}, {}, classes),
              (json{{"choice", "two"},
                    {"index", 1},
                    {"option1", "one"},
                    {"option2", "two"},
                    {"option3", ""}}));
}

TEST(Widgets, WhatOnlyThePageCanMakeIsNamed) {
    const auto classes = classes_of({{"Load3D", R"({"required": {"model_file": [["a.glb"]],
        "image": ["LOAD_3D", {}], "width": ["INT", {"default": 64}]}})"}});
    const auto prompt = prompt_of(
        saved({node(4, "Load3D", {},
                    {"a.glb", "upload3dmodel", "uploadExtraResources", "clear", "", 128})}),
        classes);
    ASSERT_EQ(prompt.page_values.size(), 1u);
    EXPECT_EQ(prompt.page_values[0].node, "4");
    EXPECT_EQ(prompt.page_values[0].class_type, "Load3D");
    EXPECT_EQ(prompt.page_values[0].input, "image");
    EXPECT_THAT(prompt.page_values[0].reason, HasSubstr("drawn by the page"));
    EXPECT_EQ(json::parse(prompt.text)["4"]["inputs"]["width"], 128);
}

TEST(Widgets, OfAnUnknownClassHaveNoNames) {
    const auto content = saved({node(3, "Nobody", {slot("image", 1)}, {"a", 2}), node(1, "Source")},
                               {{1, 1, 0, 3, 0, "IMAGE"}});
    const auto prompt = prompt_of(content);
    ASSERT_EQ(prompt.unknown.size(), 1u);
    EXPECT_EQ(prompt.unknown[0].class_type, "Nobody");
    const auto made = json::parse(prompt.text)["3"];
    EXPECT_TRUE(made["class_type"].is_null());
    EXPECT_EQ(made["inputs"], (json{{"UNKNOWN", "a"}, {"UNKNOWN_1", 2}, {"image", {"1", 0}}}));
    EXPECT_EQ(converted(content, classes_of({}, false))["3"]["inputs"]["UNKNOWN"], 2);
}

TEST(Widgets, AClassThatWasRenamedIsFound) {
    const auto classes = classes_of({{"ControlNetLoader", R"({"required": {"name": [["a"]]}})"}});
    EXPECT_EQ(
        converted(saved({node(1, "T2IAdapterLoader", {}, {"a"})}), classes)["1"]["class_type"],
        "ControlNetLoader");
}

TEST(Widgets, AnInputBesideAWidgetThatIsGoneLosesItsLink) {
    const auto prompt = converted(saved(
        {node(1, "Source"), node(2, "Source", {widget_slot("old", 1)})}, {{1, 1, 0, 2, 0, "INT"}}));
    EXPECT_EQ(prompt["2"]["inputs"], (json{{"size", 8}}));
}

TEST(Primitive, AlsoWhereItIsMutedOrBypassed) {
    for (const int mode : {0, 2, 4}) {
        const auto prompt = converted(saved({node(1, "PrimitiveNode", {}, {99, "fixed"}, mode),
                                             node(2, "Source", {widget_slot("size", 1)}, {8})},
                                            {}));
        EXPECT_EQ(prompt["2"]["inputs"]["size"], 8) << "without a link";
    }
    for (const int mode : {0, 2, 4}) {
        json primitive = node(1, "PrimitiveNode", {}, {99, "fixed"}, mode);
        primitive["outputs"] = List{{{"name", "INT"}, {"type", "INT"}, {"links", {1}}}};
        const auto prompt =
            converted(saved({primitive, node(2, "Source", {widget_slot("size", 1)}, {8})},
                            {{1, 1, 0, 2, 0, "INT"}}));
        EXPECT_EQ(prompt["2"]["inputs"]["size"], 99) << mode;
    }
}

// "A seed" within a choice is called otherwise, and has no control behind it.
TEST(Widgets, ASeedWithinADynamicChoiceHasNoControl) {
    const auto classes = classes_of({{"Generate", R"({"required": {
        "mode": ["COMFY_DYNAMICCOMBO_V3", {"options": [{"key": "on", "inputs": {"required": {
            "seed": ["INT", {"default": 0}], "penalty": ["FLOAT", {"default": 0}]}}}]}]}})"}});
    const auto inputs = inputs_of("Generate", {"on", 7, 0.5}, {}, classes);
    EXPECT_EQ(inputs["mode.seed"], 7);
    EXPECT_EQ(inputs["mode.penalty"], 0.5);
}

}  // namespace
}  // namespace podctl::workflow::test
