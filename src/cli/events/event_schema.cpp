#include "events.hpp"

namespace podctl::cli {

namespace {

// As utc_time() writes it.
constexpr auto time_pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$";
constexpr auto event_time_meaning = "When it was, in UTC.";

Json schema_of(const ObjectShape& shape);

Json schema_without_null(const FieldType& type) {
    switch (type.kind) {
        case FieldKind::text:
            return {{"type", "string"}};
        case FieldKind::boolean:
            return {{"type", "boolean"}};
        case FieldKind::integer:
            return {{"type", "integer"}};
        case FieldKind::number:
            return {{"type", "number"}};
        case FieldKind::time:
            return {{"type", "string"}, {"pattern", time_pattern}};
        case FieldKind::word:
            return {{"type", "string"}, {"enum", type.words}};
        case FieldKind::list:
            return {{"type", "array"}, {"items", schema_without_null(*type.element)}};
        case FieldKind::map:
            return {{"type", "object"},
                    {"additionalProperties", schema_without_null(*type.element)}};
        case FieldKind::object:
            return schema_of(*type.shape);
    }
    return {};
}

Json field_schema(const FieldShape& field) {
    std::string description = field.meaning;
    if (!field.type.unit.empty()) description += " In " + field.type.unit + ".";
    Json schema{{"description", description}};
    schema.update(schema_without_null(field.type));
    if (field.type.may_be_null && field.unknown == Unknown::null) {
        schema["type"] = {schema["type"], "null"};
        if (schema.contains("enum")) schema["enum"].push_back(nullptr);
    }
    return schema;
}

Json schema_of(const ObjectShape& shape) {
    Json schema{{"type", "object"},
                {"additionalProperties", false},
                {"properties", Json::object()},
                {"required", Json::array()}};
    for (const auto& field : shape) {
        schema["properties"][field.name] = field_schema(field);
        if (field.unknown == Unknown::null) schema["required"].push_back(field.name);
    }
    return schema;
}

Json schema_of(const EventShape& event) {
    ObjectShape shape{{"time", {.kind = FieldKind::time}, event_time_meaning},
                      {"event", {.kind = FieldKind::text}, "What has happened."}};
    shape.insert(shape.end(), event.fields->begin(), event.fields->end());
    Json schema{{"description", event.is.meaning}};
    schema.update(schema_of(shape));
    schema["properties"]["event"] = {{"const", event.is.name}};
    return schema;
}

}  // namespace

std::vector<EventShape> event_shapes() {
    std::vector<EventShape> shapes;
    // A pointer to the list, since some of its types cannot be made without a value.
    [&]<typename... Listed>(const std::tuple<Listed...>*) {
        (event_table<Listed>().list(shapes), ...);
    }(static_cast<const JsonEvents*>(nullptr));
    return shapes;
}

std::string event_schema() {
    Json schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                {"$id", "urn:podctl:events:v1"},
                {"title", "podctl event"},
                {"description", "A line that podctl prints on stdout with --output json."},
                {"oneOf", Json::array()},
                {"$defs", Json::object()}};
    for (const auto& event : event_shapes()) {
        schema["oneOf"].push_back({{"$ref", "#/$defs/" + event.is.name}});
        schema["$defs"][event.is.name] = schema_of(event);
    }
    return json_document(schema);
}

}  // namespace podctl::cli
