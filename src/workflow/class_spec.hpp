#pragma once

#include "podctl/base/json_fields.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

// What GET /object_info says of the classes, in the order in which the page goes through it.
namespace podctl::workflow {

using nlohmann::json;

struct InputSpec;

// A choice with the inputs that it brings: of a COMFY_DYNAMICCOMBO_V3, or a format of
// VideoHelperSuite.
struct Branch {
    std::string key;
    std::vector<InputSpec> inputs;  // Clang takes no initialiser of an incomplete type
};

// A COMFY_AUTOGROW_V3: inputs that are there as often as they are linked, and once more.
struct Autogrow {
    std::vector<InputSpec> inputs;
    std::size_t min = 1, max = 100;
    std::string prefix = {};
    std::vector<std::string> names = {};
};

// [type, options], where a list of choices stands for the type, or "COMBO" with options.options.
struct InputSpec {
    std::string name;
    std::string type;  // "COMBO" for a choice
    json options = json::object();
    std::vector<json> choices = {};
    std::vector<Branch> branches = {};
    std::shared_ptr<const Autogrow> autogrow = nullptr;

    // An option that JavaScript takes for true.
    bool is_set(std::string_view option) const;
    // An option that is there and not null; nullptr: it is not.
    const json* option(std::string_view option) const;
};

struct ClassSpec {
    std::string name, display_name;
    // In the order in which the page makes their widgets, and those that the page adds by itself.
    std::vector<InputSpec> inputs = {};
    std::vector<std::string> output_types = {};
};

struct ClassTable {
    std::map<std::string, ClassSpec> classes = {};
    // The server is one whose page is of 2026 (frontend 1.49 was looked at), or of 2025 (1.27).
    bool is_recent = false;

    const ClassSpec* find(const std::string& name) const;
};

// Whether the page gives its widget a control (control_after_generate), which changes the value
// after each run: src/composables/useIntWidget.ts and src/scripts/widgets.ts of ComfyUI_frontend.
// A widget within a dynamic choice is called `choice.seed`, and gets none for its name.
bool is_controlled(const InputSpec& spec, std::string_view widget);

// JavaScript's Boolean(value).
bool is_truthy(const json& value);

// Reads an answer of GET /object_info into `table`. Throws Error{usage}.
void read_classes(std::string_view answer, ClassTable& table);

}  // namespace podctl::workflow
