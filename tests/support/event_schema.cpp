#include "event_schema.hpp"

#include "podctl/base/file.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <regex>

namespace podctl::test {
namespace {

using nlohmann::json;

bool has_type(const json& value, const std::string& type) {
    if (type == "null") return value.is_null();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    if (type == "array") return value.is_array();
    return type == "object" && value.is_object();
}

bool has_one_of(const json& value, const json& types) {
    if (types.is_string()) return has_type(value, types);
    return std::ranges::any_of(types, [&](const json& type) { return has_type(value, type); });
}

std::string fault_of(const json& value, const json& schema, const std::string& path);

std::string members_fault(const json& object, const json& schema, const std::string& path) {
    for (const auto& name : schema.value("required", json::array()))
        if (!object.contains(name.get<std::string>()))
            return path + "." + name.get<std::string>() + " is missing";
    const auto properties = schema.value("properties", json::object());
    const auto others = schema.value("additionalProperties", json(true));
    for (const auto& [name, value] : object.items()) {
        const auto here = path + "." + name;
        if (!properties.contains(name) && others == false) return here + " is not described";
        const auto& rules = properties.contains(name) ? properties.at(name) : others;
        if (auto fault = fault_of(value, rules, here); !fault.empty()) return fault;
    }
    return {};
}

std::string fault_of(const json& value, const json& schema, const std::string& path) {
    for (const auto& [word, rule] : schema.items()) {
        if (word == "type" && !has_one_of(value, rule))
            return path + " is " + value.dump() + ", not " + rule.dump();
        if (word == "const" && value != rule) return path + " is " + value.dump();
        if (word == "enum" && std::ranges::find(rule, value) == rule.end())
            return path + " is " + value.dump() + ", none of " + rule.dump();
        if (word == "pattern" &&
            !std::regex_search(value.get<std::string>(), std::regex{rule.get<std::string>()}))
            return path + " is " + value.dump();
        if (word == "items")
            for (const auto& item : value)
                if (auto fault = fault_of(item, rule, path + "[]"); !fault.empty()) return fault;
        static const std::vector<std::string> known{
            "type",       "const",      "enum",     "pattern",
            "items",      "properties", "required", "additionalProperties",
            "description"};
        if (std::ranges::find(known, word) == known.end()) return path + " has a rule " + word;
    }
    return value.is_object() ? members_fault(value, schema, path) : std::string{};
}

}  // namespace

std::string event_fault(const json& event) {
    static const json schema = json::parse(read_file(PODCTL_SOURCE_DIR "/docs/events.schema.json"));
    const auto name = event.value("event", "");
    if (!schema["$defs"].contains(name)) return "no event is named '" + name + "'";
    return fault_of(event, schema["$defs"][name], name);
}

}  // namespace podctl::test
