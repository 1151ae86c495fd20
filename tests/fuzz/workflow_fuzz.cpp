// Workflows that users hand over, in every form, files that carry one, and what a server says of
// its classes. Read or refused with an Error, never a crash, a hang or another exception. The first
// byte chooses the reader.
#include "podctl/base/error.hpp"
#include "podctl/base/json.hpp"
#include "podctl/workflow/workflow.hpp"
#include "podctl/workflow/workflow_file.hpp"

#include "support.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace {

using namespace podctl;
using namespace podctl::workflow;

using fuzz::expect;

Classes made(bool is_recent) {
    const std::string recent = is_recent ? R"(, "has_intermediate_output": false)" : "";
    const std::string behind = R"(, "output": ["IMAGE"])" + recent + "}";
    Classes classes;
    classes.add(R"({"A": {"input": {"required": {"size": ["INT", {"default": 8}]}})" + behind +
                R"(, "B": {"input": {"required": {"image": ["IMAGE"], "seed": ["INT"],
                     "mode": [["x", "y"]]}, "optional": {"text": ["STRING"], "c": ["CURVE"]}})" +
                behind + R"(, "C": {"input": {"required": {"image": [["a.png"],
                     {"image_upload": true}], "pick": ["COMBO", {"options": [1],
                     "control_after_generate": true}]}, "optional": {"on": ["BOOLEAN"]}})" +
                behind + R"(, "D": {"input": {"required": {"format": ["COMFY_DYNAMICCOMBO_V3",
                     {"options": [{"key": "mp4", "inputs": {"required": {"q": ["INT"]}}},
                                  {"key": "", "inputs": {}}]}],
                     "in": ["COMFY_AUTOGROW_V3", {"template": {"input": {"required":
                       {"v": ["FLOAT"], "w": ["IMAGE"]}}, "prefix": "v"}}]}})" +
                behind + R"(, "T": {"input": {"required": {"text": ["STRING",
                     {"multiline": true, "dynamicPrompts": true}]}})" +
                behind + R"(, "SaveImage": {"input": {"required": {"images": ["IMAGE"],
                     "filename_prefix": ["STRING"]}})" +
                behind + R"(, "CustomCombo": {"input": {"required": {"choice": [[]]}})" + behind +
                "}");
    return classes;
}

// What is sent is an object of nodes, whatever came in.
void convert(std::string_view input, const Classes& classes) {
    const auto read = read_workflow(input, "fuzz");
    needs_of(read);
    const auto prompt =
        parse_json(to_prompt(read, classes).text,
                   {.bytes = 1u << 30, .depth = 200, .values = 50'000'000, .members = 1'000'000});
    expect(prompt && prompt->is_object());
    for (const auto& node : *prompt)
        expect(node.contains("class_type"));
}

void against_recent(std::string_view input) {
    static const Classes classes = made(true);
    convert(input, classes);
}

void against_older(std::string_view input) {
    static const Classes classes = made(false);
    convert(input, classes);
}

void read_object_info(std::string_view input) {
    Classes classes;
    classes.add(input);
    convert(R"({"nodes": [{"id": 1, "type": "A", "widgets_values": ["k", 1, 2]}]})", classes);
}

// What is found is the text of an object, within bounds; a source is never asked for what it does
// not have.
void read_carrier(std::string_view input) {
    const auto bytes = bytes_of(input);
    const auto found = find_carried({bytes.size, [&](std::uint64_t offset, std::span<char> buffer) {
                                         expect(offset < input.size() && !buffer.empty());
                                         return bytes.read(offset, buffer);
                                     }});
    if (!found) return;
    expect(!found->carrier.empty());
    for (const auto& text : {found->workflow, found->prompt})
        expect(text.empty() || (text.starts_with('{') && text.size() <= (64u << 20)));
    needs_of(read_workflow(*found, "fuzz"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static constexpr void (*readers[])(std::string_view) = {against_recent, against_older,
                                                            read_object_info, read_carrier};
    try {
        fuzz::dispatch(readers, data, size);
    } catch (const Error& error) {
        expect(error.kind() == ErrorKind::usage || error.kind() == ErrorKind::smoke);
    }
    return 0;
}
