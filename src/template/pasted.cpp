#include "pasted.hpp"

#include "git_page.hpp"

#include <fmt/format.h>

#include <utility>

namespace podctl::tmpl {
namespace {

constexpr std::size_t longest_line = 300;

// How the keys of a repository are called there: comfyui has source and ref.
struct Keys {
    const char* git = "git";
    bool in_braces = true;  // {git: …, ref: …}, as an item of a list
};

std::string line_for(const Keys& keys, const GitPage& page) {
    const std::string git = fmt::format("{}: {}", keys.git, page.git);
    // Such a ref would read as a number, or end the mapping.
    const std::string ref = page.ref.empty() ? "" : fmt::format("ref: \"{}\"", page.ref);
    if (keys.in_braces) return fmt::format("{{{}{}{}}}", git, ref.empty() ? "" : ", ", ref);
    return ref.empty() ? fmt::format("`{}`", git) : fmt::format("`{}` and `{}`", git, ref);
}

// Which of a reference's characters would have to be written otherwise; git allows none of them.
bool is_plain_reference(const std::string& ref) {
    return ref.find_first_of("\"\\ ~^:?*[") == std::string::npos;
}

// The line is made of what the template says: a variable's value is not told.
void refuse(Value& value, const std::string& path, const Keys& keys, const std::string& why,
            Diagnostics& diagnostics) {
    const auto to_write = read_git_page(template_text(value));
    const std::string line = to_write ? line_for(keys, *to_write) : std::string{};
    // Cut, it would be no line to write.
    const bool may_be_shown = !value.confidential && to_write && line.size() <= longest_line &&
                              is_plain_reference(to_write->ref);
    diagnostics.fault(value, path,
                      fmt::format("found {}: {}{}", shown(value), why,
                                  may_be_shown ? "; write " + line : std::string{}));
}

Value with_text(const Value& value, const std::string& text, const std::string& printed) {
    Value made = value;
    made.text = text;
    made.printed = printed;
    made.quoted = true;  // "1.10" is no number
    return made;
}

// Whether the value named a reference that is to be given as `ref` now.
std::optional<Value> take_ref(Value& value, const std::string& path, const Keys& keys,
                              const Value* ref, Diagnostics& diagnostics) {
    if (!value.is_scalar() || value.faulty) return std::nullopt;
    const auto page = read_git_page(value.text);
    if (!page) return std::nullopt;
    const bool has_ref = ref && ref->is_scalar() && !ref->text.empty();
    std::string why = page->unclear;
    if (has_ref && !page->ref.empty() && page->ref != ref->text)
        why = fmt::format("it names another reference than `ref`, {}", shown(*ref));
    if (!why.empty()) {
        refuse(value, path, keys, why, diagnostics);
        return std::nullopt;
    }
    const GitPage printed =
        value.interpolated ? read_git_page(value.printed).value_or(GitPage{}) : *page;
    const bool was_quoted = value.quoted;
    std::optional<Value> found;
    if (!page->ref.empty() && !has_ref) found = with_text(value, page->ref, printed.ref);
    value = with_text(value, page->git, printed.git);
    value.quoted = was_quoted;
    return found;
}

void put_ref(Value& mapping, Value ref) {
    if (Value* there = mapping.find("ref")) {
        *there = std::move(ref);
        return;
    }
    const Place place = ref.place;
    mapping.entries.push_back({"ref", place, std::move(ref)});
}

void understand(Value& item, const std::string& path, const Keys& keys, Diagnostics& diagnostics) {
    if (item.is_scalar()) {
        auto ref = take_ref(item, path, keys, nullptr, diagnostics);
        if (!ref) return;
        Value mapping{Value::Type::mapping, item.place};
        mapping.entries.push_back({keys.git, item.place, std::move(item)});
        put_ref(mapping, std::move(*ref));
        item = std::move(mapping);
        return;
    }
    Value* git = item.find(keys.git);
    if (git == nullptr) return;
    auto ref = take_ref(*git, key_path(path, keys.git), keys, item.find("ref"), diagnostics);
    if (ref) put_ref(item, std::move(*ref));
}

}  // namespace

void understand_pasted(Value& root, Diagnostics& diagnostics) {
    for (const char* list : {"custom_nodes", "repositories"}) {
        Value* items = root.find(list);
        for (std::size_t i = 0; items && i < items->items.size(); ++i)
            understand(items->items[i], key_path(list, i), {}, diagnostics);
    }
    if (Value* comfyui = root.find("comfyui"); comfyui && comfyui->is_mapping())
        understand(*comfyui, "comfyui", {.git = "source", .in_braces = false}, diagnostics);
}

}  // namespace podctl::tmpl
