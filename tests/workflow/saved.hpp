#pragma once

#include "podctl/base/error.hpp"
#include "podctl/workflow/workflow.hpp"

#include "support/error_of.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <map>
#include <string>
#include <vector>

// Workflows as ComfyUI's page saves them, written by hand, and the prompts that are made of them.
namespace podctl::workflow::test {

using nlohmann::json;
using List = std::vector<json>;

// As GET /object_info has them; the page is the one of 2026 unless told.
inline std::string object_info(const std::map<std::string, std::string>& inputs,
                               bool is_recent = true) {
    std::string text = "{";
    for (const auto& [name, input] : inputs) {
        text += text.size() > 1 ? ", " : "";
        text += "\"" + name + "\": {\"input\": " + input + R"(, "output": ["IMAGE"])" +
                (is_recent ? R"(, "has_intermediate_output": false)" : "") + "}";
    }
    return text + "}";
}

inline const std::map<std::string, std::string>& usual_classes() {
    static const std::map<std::string, std::string> inputs{
        {"Source", R"({"required": {"size": ["INT", {"default": 8}]}})"},
        {"Blur", R"({"required": {"image": ["IMAGE"], "radius": ["INT", {"default": 3}]},
                     "optional": {"mode": [["fast", "fine"]]}})"},
        {"Sample", R"({"required": {"image": ["IMAGE"], "seed": ["INT", {}], "steps": ["INT", {}],
                       "sampler": ["COMBO", {"options": ["euler", "heun"]}],
                       "cfg": ["FLOAT", {}]}})"},
        {"Load", R"({"required": {"image": [["a.png"], {"image_upload": true}]},
                     "optional": {"mask": ["BOOLEAN", {"default": false}]}})"},
        {"Pick", R"({"required": {"name": ["COMBO", {"options": ["a", "b"],
                       "control_after_generate": true}], "weight": ["FLOAT", {"default": 1.5}]}})"},
        {"Text", R"({"required": {"text": ["STRING", {"multiline": true,
                       "dynamicPrompts": true}]}})"},
        {"SaveImage", R"({"required": {"images": ["IMAGE"],
                            "filename_prefix": ["STRING", {"default": "x"}]}})"},
        {"Save", R"({"required": {"images": ["IMAGE"], "prefix": ["STRING", {"default": "x"}]}})"},
    };
    return inputs;
}

inline Classes classes_of(std::map<std::string, std::string> inputs = {}, bool is_recent = true) {
    inputs.insert(usual_classes().begin(), usual_classes().end());
    Classes classes;
    classes.add(object_info(inputs, is_recent));
    return classes;
}

inline json node(int id, const std::string& type, const List& inputs = {}, const List& values = {},
                 int mode = 0) {
    json made{{"id", id}, {"type", type}, {"mode", mode}};
    made["inputs"] = inputs;
    made["outputs"] = List{{{"name", "out"}, {"type", "IMAGE"}}};
    made["widgets_values"] = values;
    return made;
}

inline json slot(const std::string& name, json link, const std::string& type = "IMAGE") {
    return {{"name", name}, {"type", type}, {"link", link}};
}

inline json widget_slot(const std::string& name, json link, const std::string& type = "INT") {
    json made = slot(name, link, type);
    made["widget"] = {{"name", name}};
    return made;
}

inline json saved(const List& nodes, const List& links = {}) {
    return {{"version", 0.4}, {"nodes", nodes}, {"links", links}};
}

inline Prompt prompt_of(const json& content, const Classes& classes = classes_of(),
                        const ConversionOptions& options = {}) {
    return to_prompt(read_workflow(content.dump(), "test.json"), classes, options);
}

inline json converted(const json& content, const Classes& classes = classes_of(),
                      const ConversionOptions& options = {}) {
    return json::parse(prompt_of(content, classes, options).text);
}

// The inputs that a node gets with these values of its widgets.
inline json inputs_of(const std::string& type, const List& values, const List& inputs = {},
                      const Classes& classes = classes_of()) {
    return converted(saved({node(1, type, inputs, values)}), classes)["1"]["inputs"];
}

inline std::string fault_of(const json& content) {
    const auto error = podctl::test::error_of([&] { converted(content); });
    EXPECT_EQ(error.kind(), ErrorKind::smoke);
    return error.message();
}

}  // namespace podctl::workflow::test
