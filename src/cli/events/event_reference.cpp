#include "podctl/base/text.hpp"

#include "events.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace podctl::cli {

namespace {

constexpr std::string_view events_page_opening = R"(# The events of a run, as JSON

Printed by `podctl schema --format events-markdown`, from the rows that the lines are written by; `podctl schema --format
events` prints the same as a JSON Schema ([events.schema.json](events.schema.json)). An example of what can be made of
them: [examples/dashboard.py](examples/dashboard.py).

With `--output json` (`--json`, `PODCTL_OUTPUT=json`) the standard output is JSON Lines and nothing else: each line is one event, an
object with `time` (RFC 3339, UTC), `event` and the fields below. What is meant for people goes to the standard error as always. A
command that cannot do its work ends with `error`, a run that fails with `run.finished`; the exit code says the same.
Later versions may add events and fields: pass over what you do not know.

Documents are printed as they are: `--help`, `--version`, `schema`, `completion`, `man`, `run --print-prompt` and
`init -o -`.

| event | printed by | meaning |
|---|---|---|
)";

// GitHub's: dots and backticks go.
std::string event_anchor(std::string_view heading) {
    std::string anchor;
    for (const char c : heading)
        if (is_alphanumeric(c) || c == '_' || c == '-') anchor += c;
    return anchor;
}

std::string type_text(const FieldType& type) {
    switch (type.kind) {
        case FieldKind::text:
            return "text";
        case FieldKind::boolean:
            return "`true` or `false`";
        case FieldKind::integer:
            return "integer";
        case FieldKind::number:
            return "number";
        case FieldKind::time:
            return "time";
        case FieldKind::word:
            return fmt::format("word: `{}`", fmt::join(type.words, "`, `"));
        case FieldKind::list:
            return "list of " + type_text(*type.element);
        case FieldKind::map:
            return "object of names to " + type_text(*type.element);
        case FieldKind::object:
            return "object";
    }
    return {};
}

std::string value_text(const FieldShape& field) {
    std::string text = type_text(field.type);
    if (!field.type.unit.empty()) text += ", " + field.type.unit;
    if (field.unknown == Unknown::left_out) return text + "; may be missing";
    return field.type.may_be_null ? text + "; or null" : text;
}

// The fields of objects stand below theirs: `error.code`, `faults[].node`.
void add_fields(std::string& page, const ObjectShape& shape, const std::string& path) {
    for (const auto& field : shape) {
        const auto name = path + field.name;
        page += fmt::format("| `{}` | {} | {} |\n", name, value_text(field), field.meaning);
        const bool is_list = field.type.kind == FieldKind::list;
        const auto& inner = is_list ? *field.type.element : field.type;
        if (inner.shape) add_fields(page, *inner.shape, name + (is_list ? "[]." : "."));
    }
}

}  // namespace

std::string event_reference() {
    std::string page{events_page_opening};
    const auto events = event_shapes();
    for (const auto& [is, fields] : events)
        page += fmt::format("| [`{}`](#{}) | {} | {} |\n", is.name, event_anchor(is.name), is.by,
                            is.meaning);
    for (const auto& [is, fields] : events) {
        page += fmt::format("\n## `{}`\n\n{}\n\n| field | value | meaning |\n|---|---|---|\n",
                            is.name, is.meaning);
        add_fields(page, *fields, {});
    }
    return page;
}

}  // namespace podctl::cli
