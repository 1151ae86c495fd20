#pragma once

#include "podctl/base/json_fields.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace podctl::comfy {

using nlohmann::json;

// An input as GET /object_info/{class} tells of it: [type, options], where a list of choices stands
// for the type, or "COMBO" with options.options (since v0.3.50).
struct InputSpec {
    std::string name;
    std::string type;  // "INT", "IMAGE", …; "COMBO" for a choice
    std::vector<json> choices = {};
    json options = json::object();
    enum class Group { required, optional } group = Group::required;
    // A list in the place of the type: POST /prompt checks the choice.
    bool is_checked = false;
};

struct NodeClass {
    std::string name;
    std::string module;                  // "nodes", "custom_nodes.PACK"
    bool is_api_node = false;            // it calls a service that is paid for (API_NODE)
    std::vector<InputSpec> inputs = {};  // in the order of the class, which is the widgets' order

    const InputSpec* input(std::string_view wanted) const;
};

// The class in the answer of GET /object_info/{name}; nullopt: it is not there. Throws
// nlohmann::json::exception for what is no JSON.
std::optional<NodeClass> read_node_class(const std::string& name, const std::string& answer);

using NodeClasses = std::map<std::string, NodeClass>;

}  // namespace podctl::comfy
