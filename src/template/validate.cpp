#include "validate.hpp"

#include "podctl/base/names.hpp"
#include "podctl/template/template.hpp"

#include "paths.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <unordered_map>

namespace podctl::tmpl {
namespace {

using Homes = std::multimap<std::string, std::string>;

void collect_homes(const Shape& shape, const std::string& path, Homes& homes) {
    for (const Field& field : shape.fields) {
        homes.emplace(field.name, path);
        const bool list = field.type.kind == Kind::list;
        const Type& type = list ? *field.type.element : field.type;
        if (type.kind != Kind::mapping) continue;
        const std::string name = path.empty() ? field.name : path + "." + field.name;
        collect_homes(*type.shape, list ? name + "[]" : name, homes);
    }
}

// Where a key of that name belongs, for one that stands in the wrong mapping.
std::string belongs_to(const std::string& key) {
    static const Homes homes = [] {
        Homes all;
        collect_homes(template_shape(), {}, all);
        return all;
    }();
    const auto [begin, end] = homes.equal_range(key);
    std::string places;
    for (auto home = begin; home != end; ++home) {
        if (!places.empty()) places += ", ";
        places += home->second.empty() ? "the template itself" : home->second;
    }
    return places.empty() ? places : "; it is a key of " + places;
}

class Validator {
public:
    Validator(const PathContext& context, Diagnostics& diagnostics)
        : context_(context), diagnostics_(diagnostics) {}

    void check(Value& value, const Type& type, const std::string& path) {
        if (value.faulty) return;
        switch (type.kind) {
            case Kind::list:
                return check_list(value, type, path);
            case Kind::map:
                return check_map(value, type, path);
            case Kind::mapping:
                return check_mapping(value, *type.shape, type, path);
            default:
                return check_scalar(value, type, path);
        }
    }

private:
    void refuse(Value& value, const Type& type, const std::string& path,
                const std::string& more = {}) {
        diagnostics_.fault(
            value, path, fmt::format("found {}; allowed: {}{}", shown(value), allowed(type), more));
    }

    void check_mapping(Value& value, const Shape& shape, const Type& type,
                       const std::string& path) {
        if (value.is_scalar() && !shape.short_form.empty()) {
            return check(value, shape.find(shape.short_form)->type, path);
        }
        if (!value.is_mapping()) return refuse(value, type, path);
        for (Entry& entry : value.entries)
            check_entry(entry, shape, path);
        for (const Field& field : shape.fields) {
            if (field.required && !value.find(field.name)) {
                diagnostics_.add(value.place, key_path(path, field.name),
                                 fmt::format("is missing; allowed: {}", allowed(field.type)));
            }
        }
        check_one_of(value, shape, path);
        check_excludes(value, shape, path);
    }

    void check_entry(Entry& entry, const Shape& shape, const std::string& path) {
        const std::string entry_path = key_path(path, entry.key);
        const Field* field = shape.find(entry.key);
        if (!field) return report_unknown(entry, shape, entry_path);
        if (!entry.value.is_null()) return check(entry.value, field->type, entry_path);
        // A key without a value is a key that is not set.
        if (field->required) refuse(entry.value, field->type, entry_path);
    }

    void report_unknown(const Entry& entry, const Shape& shape, const std::string& path) {
        const auto names = shape.names();
        std::string more = did_you_mean(entry.key, names);
        if (more.empty()) more = belongs_to(entry.key);
        if (more.empty()) more = fmt::format("; allowed: {}", fmt::join(names, ", "));
        diagnostics_.add(entry.place, path, fmt::format("is no key of {}{}", shape.title, more));
    }

    void check_one_of(Value& value, const Shape& shape, const std::string& path) {
        if (shape.one_of.empty()) return;
        const auto there =
            std::count_if(shape.one_of.begin(), shape.one_of.end(), [&](const auto& name) {
                const Value* found = value.find(name);
                return found && !found->is_null();
            });
        if (there == 1) return;
        diagnostics_.fault(value, path,
                           fmt::format("found {} of {}; exactly one must be there", there,
                                       fmt::join(shape.one_of, ", ")));
    }

    void check_excludes(Value& value, const Shape& shape, const std::string& path) {
        for (const Field& field : shape.fields) {
            const Value* there = field.excludes.empty() ? nullptr : value.find(field.name);
            if (!there || there->is_null()) continue;
            for (const std::string& key : field.excludes) {
                Value* other = value.find(key);
                if (!other || other->is_null() || other->faulty) continue;
                diagnostics_.fault(*other, key_path(path, key),
                                   fmt::format("found {}; it cannot stand beside `{}`, which says "
                                               "it itself",
                                               shown(*other), field.name));
            }
        }
    }

    void check_list(Value& value, const Type& type, const std::string& path) {
        if (!value.is_sequence()) {
            return refuse(value, type, path, value.is_scalar() ? ": [ITEM, …]" : "");
        }
        for (std::size_t i = 0; i < value.items.size(); ++i) {
            check(value.items[i], *type.element, key_path(path, i));
        }
        if (value.items.size() < type.least_items) {
            diagnostics_.fault(value, path, "is empty");
        } else if (type.most_items > 0 && value.items.size() > type.most_items) {
            diagnostics_.fault(value, path,
                               fmt::format("has {} items; at most {} are allowed",
                                           value.items.size(), type.most_items));
        }
        if (type.unique) check_unique(value, path);
    }

    void check_unique(Value& value, const std::string& path) {
        std::unordered_map<std::string, std::size_t> seen;
        for (std::size_t i = 0; i < value.items.size(); ++i) {
            Value& item = value.items[i];
            if (item.faulty) continue;
            const auto [first, fresh] = seen.try_emplace(item.text, i);
            if (fresh) continue;
            diagnostics_.fault(item, key_path(path, i),
                               fmt::format("found {} again; {} has it, too", shown(item),
                                           key_path(path, first->second)));
        }
    }

    void check_map(Value& value, const Type& type, const std::string& path) {
        if (!value.is_mapping()) return refuse(value, type, path);
        for (auto& [key, place, child] : value.entries) {
            const std::string child_path = key_path(path, key);
            if (type.key_format->fault(key, context_)) {
                diagnostics_.add(place, child_path,
                                 fmt::format("found the key {}; allowed: {}", quote(key),
                                             type.key_format->allowed));
            }
            if (child.is_null()) {
                diagnostics_.fault(child, child_path, "has no value; write \"\" for an empty one");
            } else {
                check(child, *type.element, child_path);
            }
        }
    }

    void check_scalar(Value& value, const Type& type, const std::string& path) {
        if (!value.is_scalar()) return refuse(value, type, path);
        switch (type.kind) {
            case Kind::string:
                return check_string(value, type, path);
            case Kind::integer: {
                const auto number = read_integer(value.text);
                if (!number || *number < type.minimum || *number > type.maximum)
                    refuse(value, type, path);
                return;
            }
            case Kind::boolean:
                if (!read_boolean(value.text)) refuse(value, type, path);
                return;
            case Kind::size:
                if (!read_size(value.text)) refuse(value, type, path);
                return;
            case Kind::duration:
                if (!read_duration(value.text)) refuse(value, type, path);
                return;
            case Kind::choice:
                return check_choice(value, type, path);
            case Kind::text:
            case Kind::list:
            case Kind::map:
            case Kind::mapping:
                return;
        }
    }

    void check_string(Value& value, const Type& type, const std::string& path) {
        if (!value.quoted && !value.interpolated && is_boolean_word(value.text)) {
            return refuse(value, type, path, "; quote it if text is meant");
        }
        const auto fault = type.format->fault(value.text, context_);
        if (!fault) return;
        const std::string reason = fault->empty() ? "" : fmt::format(" ({})", *fault);
        diagnostics_.fault(value, path,
                           fmt::format("found {}{}; allowed: {}", shown_string(value, type), reason,
                                       type.format->allowed));
    }

    // A name that is none may be NAME=value, a secret.
    static std::string shown_string(const Value& value, const Type& type) {
        const std::string& text = template_text(value);
        const auto sign = text.find('=');
        if (type.format != &formats::env_name || sign == std::string::npos || value.confidential) {
            return shown(value);
        }
        return quote(text.substr(0, sign + 1)) + " with a value that is not shown";
    }

    void check_choice(Value& value, const Type& type, const std::string& path) {
        const auto& choices = type.choices;
        if (std::find(choices.begin(), choices.end(), value.text) != choices.end()) return;
        refuse(value, type, path, value.interpolated ? "" : did_you_mean(value.text, choices));
    }

    const PathContext& context_;
    Diagnostics& diagnostics_;
};

}  // namespace

std::optional<std::int64_t> read_integer(std::string_view text) {
    if (text.empty() || (text.size() > 1 && text[0] == '0')) return std::nullopt;
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || text[0] == '-')
        return std::nullopt;
    return number;
}

std::optional<bool> read_boolean(std::string_view text) {
    if (!is_boolean_word(text)) return std::nullopt;
    return text[0] == 't' || text[0] == 'T';
}

// A bare number of bytes would be a mistake: `min_vram: 12` means gigabytes to whom writes it.
std::optional<Bytes> read_size(std::string_view text) {
    if (text.empty() || !std::isalpha(static_cast<unsigned char>(text.back()))) return std::nullopt;
    return parse_bytes(text);
}

std::optional<std::chrono::milliseconds> read_duration(std::string_view text) {
    const auto duration = parse_duration(text);
    return duration && duration->count() > 0 ? duration : std::nullopt;
}

PathContext path_context(const Value& root) {
    PathContext context;
    context.mount = context.shown = Volume{}.mount;
    const Value* mount = &root;
    for (const std::string_view key : {"pod", "volume", "mount"}) {
        mount = mount->find(key);
        if (!mount) return context;
    }
    if (!mount->is_scalar() || mount->faulty || formats::mount.fault(mount->text, context))
        return context;
    context.mount = absolute_path(mount->text, "/");
    context.shown = quote(template_text(*mount));
    return context;
}

void validate(Value& root, const PathContext& context, Diagnostics& diagnostics,
              const Shape& shape) {
    Validator{context, diagnostics}.check(root, {.kind = Kind::mapping, .shape = &shape}, {});
}

}  // namespace podctl::tmpl
