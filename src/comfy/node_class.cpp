#include "node_class.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/json.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace podctl::comfy {
namespace {

// Keeps the order in which the class declares its inputs.
using nlohmann::ordered_json;

// Choices may be all the files of a folder with ten thousands.
constexpr JsonLimits class_limits{.bytes = 64u << 20};

InputSpec read_input(const std::string& name, const ordered_json& spec, InputSpec::Group group) {
    InputSpec input{.name = name, .type = {}, .group = group};
    if (!spec.is_array() || spec.empty()) return input;
    if (spec.size() > 1 && spec[1].is_object()) input.options = json(spec[1]);
    if (spec[0].is_string()) input.type = spec[0];
    if (spec[0].is_array()) {
        input.type = "COMBO";
        input.choices = json(spec[0]).get<std::vector<json>>();
        input.is_checked = true;
    }
    if (input.type == "COMBO" && !input.is_checked)
        input.choices = list_at(input.options, "options").get<std::vector<json>>();
    return input;
}

}  // namespace

const InputSpec* NodeClass::input(std::string_view wanted) const {
    const auto found = std::ranges::find(inputs, wanted, &InputSpec::name);
    return found == inputs.end() ? nullptr : &*found;
}

std::optional<NodeClass> read_node_class(const std::string& name, const std::string& answer) {
    const auto parsed = parse_ordered_json(answer, class_limits);
    if (!parsed)
        throw Error{
            ErrorKind::smoke,
            fmt::format("what ComfyUI says of {} is {}", name, json_fault(answer, class_limits)),
            "another program, or a proxy's page, may answer there"};
    const auto& all = *parsed;
    const auto found = all.is_object() ? all.find(name) : all.end();
    if (found == all.end() || !found->is_object()) return std::nullopt;
    NodeClass read{.name = name, .module = found->value("python_module", "")};
    const auto api_node = found->find("api_node");
    read.is_api_node = api_node != found->end() && *api_node == true;
    const auto groups = found->find("input");
    if (groups == found->end() || !groups->is_object()) return read;
    for (const auto& [key, group] : {std::pair{"required", InputSpec::Group::required},
                                     std::pair{"optional", InputSpec::Group::optional}}) {
        const auto inputs = groups->find(key);
        if (inputs == groups->end() || !inputs->is_object()) continue;
        for (const auto& [input, spec] : inputs->items())
            read.inputs.push_back(read_input(input, spec, group));
    }
    return read;
}

}  // namespace podctl::comfy
