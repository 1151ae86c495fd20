#include "table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace podctl::tmpl {
namespace {

std::string joined(const std::vector<std::string>& words) {
    if (words.size() < 2) return words.empty() ? "" : words.front();
    const std::vector<std::string> first(words.begin(), words.end() - 1);
    return fmt::format("{} or {}", fmt::join(first, ", "), words.back());
}

}  // namespace

const Field* Shape::find(std::string_view name) const {
    const auto found = std::find_if(fields.begin(), fields.end(),
                                    [&](const Field& field) { return field.name == name; });
    return found == fields.end() ? nullptr : &*found;
}

std::vector<std::string> Shape::names() const {
    std::vector<std::string> names;
    for (const auto& field : fields)
        names.push_back(field.name);
    return names;
}

std::string allowed(const Type& type) {
    switch (type.kind) {
        case Kind::string:
            return std::string{type.format->allowed};
        case Kind::text:
            return "text";
        case Kind::integer:
            return fmt::format("an integer from {} to {}", type.minimum, type.maximum);
        case Kind::boolean:
            return "true or false";
        case Kind::size:
            return "a size with its unit: 12GB, 512MiB";
        case Kind::duration:
            return "a duration with its unit: 90s, 2m, 1h30m";
        case Kind::choice:
            return joined(type.choices);
        case Kind::list:
            return "a list";
        case Kind::map:
            return "a mapping";
        case Kind::mapping:
            return type.shape->short_form.empty()
                       ? "a mapping"
                       : "a mapping, or text for " + type.shape->short_form;
    }
    return {};
}

}  // namespace podctl::tmpl
