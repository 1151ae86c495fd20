#include "podctl/base/text.hpp"
#include "podctl/template/load.hpp"

#include "table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cctype>
#include <string>
#include <vector>

namespace podctl::tmpl {
namespace {

constexpr std::string_view opening = R"(# The keys of a template

Printed by `podctl schema --format markdown`, from the rows that the parser reads.

A key that is absent, or has no value, has its default. Every value may hold `${NAME}` and `${NAME:-default}`, variables
of the environment; `$$` is a dollar sign. `podctl validate` checks a template, and `podctl config` prints what it comes
to. `[]` stands for each item of a list.
)";

// More words than these make a cell that nobody reads.
constexpr std::size_t most_words_in_a_cell = 12;

std::string code(std::string_view text) {
    return fmt::format("`{}`", text);
}

// As GitHub makes them of headings: what is no letter, digit, - or _ is left out.
std::string anchor(std::string_view heading) {
    std::string result;
    for (const char c : heading)
        if (is_alphanumeric(c) || c == '_' || c == '-') result += c;
    return result;
}

std::string sentence(std::string text) {
    text.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(text.front())));
    return text + ".";
}

std::string cell(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (c == '|') result += '\\';
        result += c;
    }
    return result;
}

std::string words(const std::vector<std::string>& choices) {
    std::vector<std::string> shown;
    for (const std::string& choice : choices)
        shown.push_back(code(choice));
    return fmt::format("{}", fmt::join(shown, ", "));
}

bool has_too_many_words(const Type& type) {
    return type.choices.size() > most_words_in_a_cell;
}

std::string value_of(const Type& type, const std::string& path);

std::string list_value(const Type& type, const std::string& path) {
    std::string value = "list of " + value_of(*type.element, path + "[]");
    if (type.least_items > 0) value += fmt::format("; at least {}", type.least_items);
    if (type.most_items > 0) value += fmt::format("; at most {}", type.most_items);
    if (type.unique) value += "; each once";
    return value;
}

std::string text_value(std::string_view allowed) {
    return allowed.starts_with("text") ? std::string{allowed} : fmt::format("text: {}", allowed);
}

std::string choice_value(const Type& type) {
    return has_too_many_words(type) ? "word: see below" : "word: " + words(type.choices);
}

// The type of what may stand behind a key, and what it may be.
std::string value_of(const Type& type, const std::string& path) {
    switch (type.kind) {
        case Kind::string:
            return text_value(type.format->allowed);
        case Kind::text:
            return "text";
        case Kind::integer:
            return fmt::format("integer: {} to {}", type.minimum, type.maximum);
        case Kind::boolean:
            return "boolean: `true`, `false`";
        case Kind::size:
            return "size: `12GB`, `512MiB`";
        case Kind::duration:
            return "duration: `90s`, `2m`, `1h30m`";
        case Kind::choice:
            return choice_value(type);
        case Kind::list:
            return list_value(type, path);
        case Kind::map:
            return fmt::format("mapping of {} to {}", type.key_format->allowed,
                               value_of(*type.element, path));
        case Kind::mapping:
            return fmt::format("mapping: [{}](#{})", code(path), anchor(path));
    }
    return {};
}

// As a template has it: nothing in the defaults needs its quotes.
std::string default_of(const Field& field) {
    if (field.required) return "**required**";
    if (field.fallback.empty()) return {};
    std::string_view value = field.fallback;
    if (value.starts_with('"')) value = value.substr(1, value.size() - 2);
    return code(value);
}

std::string row_of(const Field& field, const std::string& path) {
    return fmt::format("| {} | {} | {} | {} |\n", code(field.name),
                       cell(value_of(field.type, path)), cell(default_of(field)),
                       cell(field.description));
}

// What no single row says.
std::string notes(const Shape& shape) {
    std::string notes;
    if (!shape.one_of.empty())
        notes += fmt::format("\nExactly one of {} must be there.", words(shape.one_of));
    if (!shape.short_form.empty())
        notes += fmt::format("{}Text alone stands for {}.", notes.empty() ? "\n" : " ",
                             code(shape.short_form));
    if (!notes.empty()) notes += "\n";
    for (const Field& field : shape.fields) {
        if (!field.excludes.empty())
            notes += fmt::format("\nBeside {} there can be no {}.\n", code(field.name),
                                 words(field.excludes));
        if (has_too_many_words(field.type))
            notes += fmt::format("\nThe words of {}: {}.\n", code(field.name),
                                 words(field.type.choices));
    }
    return notes;
}

// The shape of the mapping, or of the mappings in a list; nullptr: there is none.
const Shape* shape_in(const Type& type) {
    return type.kind == Kind::list ? shape_in(*type.element) : type.shape;
}

void add_shape(std::string& page, const Shape& shape, const std::string& path) {
    page += fmt::format("\n## {}\n\n", path.empty() ? "The template" : code(path));
    if (!path.empty()) page += sentence(shape.title) + "\n\n";
    page += "| key | value | default | meaning |\n|---|---|---|---|\n";
    const auto path_of = [&](const Field& field) {
        return path.empty() ? field.name : fmt::format("{}.{}", path, field.name);
    };
    for (const Field& field : shape.fields)
        page += row_of(field, path_of(field));
    page += notes(shape);
    for (const Field& field : shape.fields) {
        const std::string suffix = field.type.kind == Kind::list ? "[]" : "";
        if (const Shape* inner = shape_in(field.type))
            add_shape(page, *inner, path_of(field) + suffix);
    }
}

}  // namespace

std::string markdown_reference() {
    std::string page{opening};
    add_shape(page, template_shape(), {});
    return page;
}

}  // namespace podctl::tmpl
