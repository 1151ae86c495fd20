#include "podctl/base/json.hpp"
#include "podctl/template/load.hpp"

#include "table.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace podctl::tmpl {
namespace {

using Json = nlohmann::ordered_json;

// A reference to a variable, which may stand in any string; what it brings in is checked when it is
// known.
constexpr auto variable_pattern = "\\$[{$]";

Json any_of(Json first, Json second) {
    return {{"anyOf", Json::array({std::move(first), std::move(second)})}};
}

Json variable() {
    return {{"type", "string"}, {"pattern", variable_pattern}};
}

Json text_with(std::string_view pattern) {
    return {{"type", "string"}, {"pattern", pattern}};
}

Json schema_of(const Type& type);

Json string_schema(const Type& type) {
    // 8.22 without quotes is a number to a reader of YAML; the parser keeps its text.
    Json schema{{"type", {"string", "number"}}};
    if (!type.format->pattern.empty()) {
        schema["anyOf"] = Json::array(
            {Json{{"pattern", type.format->pattern}}, Json{{"pattern", variable_pattern}}});
    }
    return schema;
}

Json list_schema(const Type& type) {
    Json schema{{"type", "array"}, {"items", schema_of(*type.element)}};
    if (type.least_items > 0) schema["minItems"] = type.least_items;
    if (type.most_items > 0) schema["maxItems"] = type.most_items;
    return schema;
}

Json map_schema(const Type& type) {
    return {{"type", "object"},
            {"propertyNames", {{"pattern", type.key_format->pattern}}},
            {"additionalProperties", schema_of(*type.element)}};
}

// A key that is there without a value is not set, so null is allowed where the key may be absent.
Json or_null(Json schema, const Field& field) {
    if (field.required) return schema;
    if (schema.contains("type")) {
        Json types = schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
        types.push_back("null");
        schema["type"] = types;
        return schema;
    }
    schema["anyOf"].push_back({{"type", "null"}});
    return schema;
}

Json field_schema(const Field& field) {
    Json schema{{"description", field.description}};
    if (!field.fallback.empty()) schema["default"] = *parse_ordered_json(field.fallback);
    schema.update(or_null(schema_of(field.type), field));
    return schema;
}

Json object_schema(const Shape& shape) {
    Json schema{
        {"type", "object"}, {"additionalProperties", false}, {"properties", Json::object()}};
    Json required = Json::array();
    for (const Field& field : shape.fields) {
        schema["properties"][field.name] = field_schema(field);
        if (field.required) required.push_back(field.name);
    }
    if (!required.empty()) schema["required"] = required;
    for (const std::string& name : shape.one_of) {
        // Without a value a key is not set.
        Json properties{{name, {{"not", {{"type", "null"}}}}}};
        for (const std::string& excluded : shape.find(name)->excludes)
            properties[excluded] = {{"type", "null"}};
        schema["oneOf"].push_back({{"required", {name}}, {"properties", properties}});
    }
    return schema;
}

Json mapping_schema(const Shape& shape) {
    Json schema = object_schema(shape);
    if (shape.short_form.empty()) return schema;
    return any_of(schema_of(shape.find(shape.short_form)->type), std::move(schema));
}

Json schema_of(const Type& type) {
    switch (type.kind) {
        case Kind::string:
            return string_schema(type);
        case Kind::text:
            return {{"type", {"string", "number", "boolean"}}};
        case Kind::integer:
            return any_of(
                {{"type", "integer"}, {"minimum", type.minimum}, {"maximum", type.maximum}},
                text_with("^[0-9]+$|\\$\\{"));
        case Kind::boolean:
            return any_of({{"type", "boolean"}},
                          text_with("^([Tt]rue|TRUE|[Ff]alse|FALSE)$|\\$\\{"));
        case Kind::size:
            return text_with("^\\s*[0-9]+(\\.[0-9]+)?\\s*([KkMmGgTt][Ii]?)?[Bb]$|\\$\\{");
        case Kind::duration:
            return text_with("^\\s*([0-9]+(\\.[0-9]+)?\\s*([Hh]|[Mm]|[Ss]|[Mm][Ss])\\s*)+$|\\$\\{");
        case Kind::choice:
            return any_of({{"enum", type.choices}}, variable());
        case Kind::list:
            return list_schema(type);
        case Kind::map:
            return map_schema(type);
        case Kind::mapping:
            return mapping_schema(*type.shape);
    }
    return {};
}

}  // namespace

std::string json_schema() {
    Json schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                {"$id", "urn:podctl:template:v1"},
                {"title", "podctl template"},
                {"description",
                 "A GPU pod: its Python environment, ComfyUI, models, custom nodes and services."}};
    schema.update(object_schema(template_shape()));
    return schema.dump(2) + "\n";
}

}  // namespace podctl::tmpl
