#include "emit.hpp"

#include "podctl/base/text.hpp"

#include "table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace podctl::tmpl {
namespace {

// Text that no reader of YAML takes for anything but itself where a value begins.
bool is_plain(std::string_view text) {
    constexpr std::string_view safe = "_./@+-:=,~()";
    if (text.empty() || !is_alphanumeric(text.front())) return false;
    return text.back() != ':' && std::all_of(text.begin(), text.end(), [&](char c) {
               return is_alphanumeric(c) || safe.find(c) != std::string_view::npos;
           });
}

std::string double_quoted(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            result.append(1, '\\').append(1, c);
        } else if (c == '\n') {
            result += "\\n";
        } else if (byte < 0x20 || byte == 0x7F) {
            result += fmt::format("\\x{:02X}", byte);
        } else {
            result += c;
        }
    }
    return result + '"';
}

std::string scalar(const Value& value) {
    if (value.interpolated) return double_quoted(value.printed);
    return !value.quoted && is_plain(value.text) ? value.text : double_quoted(value.text);
}

std::string key(std::string_view text) {
    return is_plain(text) ? std::string{text} : double_quoted(text);
}

class Emitter {
public:
    std::string take() { return std::move(out_); }

    // The keys of a mapping, each on a line of its own; the first goes on the line that stands
    // open.
    void mapping(const Value& value, const Type& type, int indent) {
        bool open = indent > 0 && out_.ends_with("- ");
        for (const auto& [name, child, child_type] : ordered(value, type)) {
            if (!open) out_.append(static_cast<std::size_t>(indent), ' ');
            open = false;
            out_ += key(name) + ":";
            entry(*child, child_type, indent);
        }
    }

private:
    struct Item {
        std::string_view name;
        const Value* value;
        const Type* type;
    };

    static std::vector<Item> ordered(const Value& value, const Type& type) {
        std::vector<Item> items;
        if (type.kind == Kind::map) {
            for (const Entry& entry : value.entries) {
                items.push_back({entry.key, &entry.value, type.element.get()});
            }
            return items;
        }
        for (const Field& field : type.shape->fields) {
            const Value* child = value.find(field.name);
            // `comfyui:` without a value still says that there is one.
            if (!child || (child->is_null() && field.type.kind != Kind::mapping)) continue;
            items.push_back({field.name, child, &field.type});
        }
        return items;
    }

    // What follows `key:`.
    void entry(const Value& value, const Type* type, int indent) {
        if (value.is_scalar()) {
            out_ += " " + scalar(value) + "\n";
        } else if (value.is_sequence()) {
            list(value, *type, indent);
        } else if (ordered(value, *type).empty()) {
            out_ += " {}\n";
        } else {
            out_ += "\n";
            mapping(value, *type, indent + 2);
        }
    }

    void list(const Value& value, const Type& type, int indent) {
        out_ += value.items.empty() ? " []\n" : "\n";
        for (const Value& item : value.items) {
            out_.append(static_cast<std::size_t>(indent) + 2, ' ');
            out_ += "- ";
            if (item.is_scalar()) {
                out_ += scalar(item) + "\n";
            } else {
                mapping(item, *type.element, indent + 4);
            }
        }
    }

    std::string out_;
};

}  // namespace

std::string emit_yaml(const Value& root) {
    Emitter emitter;
    emitter.mapping(root, {.kind = Kind::mapping, .shape = &template_shape()}, 0);
    return emitter.take();
}

}  // namespace podctl::tmpl
