#include "diagnostics.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/text.hpp"
#include "podctl/base/utf8.hpp"
#include "podctl/event/redact.hpp"

#include "leaks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace podctl::tmpl {
namespace {

// More than anybody reads before he mends the first ones.
constexpr std::size_t most_told = 100;

constexpr std::size_t longest_quote = 80;

std::string joined(const std::vector<Diagnostic>& diagnostics) {
    std::string text;
    for (const auto& diagnostic : diagnostics) {
        if (!text.empty()) text += '\n';
        text += diagnostic.to_string();
    }
    return text;
}

// What looks like a space and is none: a no-break space, pasted from a page, ends no word of YAML.
bool is_odd_blank(char32_t c) {
    return c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x202F || c == 0x205F ||
           c == 0x3000;
}

std::string escaped(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        const auto [code_point, length, valid] = utf8::decode(text);
        if (code_point == '\n') {
            result += "\\n";
        } else if (code_point == '\t') {
            result += "\\t";
        } else if (code_point < 0x20 || code_point == 0x7F) {
            result += fmt::format("\\x{:02x}", static_cast<unsigned>(code_point));
        } else if (is_odd_blank(code_point)) {
            result += fmt::format("\\u{:04x}", static_cast<unsigned>(code_point));
        } else {
            result += text.substr(0, length);
        }
        text.remove_prefix(length);
    }
    return result;
}

// Bytes that a message can show: secrets hidden, short, no control characters.
std::string presentable(std::string_view text) {
    // Hiding comes before cutting, or half a secret would pass for none.
    const std::string safe = Redactor{}(conceal(text));
    std::string result = escaped(utf8::cut(safe, longest_quote));
    if (safe.size() > longest_quote) result += "…";
    return result;
}

}  // namespace

std::string Diagnostic::to_string() const {
    std::string text = file;
    if (line > 0) text += fmt::format(":{}:{}", line, column);
    text += ": ";
    if (!key.empty()) text += key + ": ";
    text += message;
    return excerpt.empty() ? text : text + "\n" + excerpt;
}

TemplateError::TemplateError(std::vector<Diagnostic> diagnostics)
    : Error(ErrorKind::template_, joined(diagnostics)), diagnostics_(std::move(diagnostics)) {}

void Diagnostics::add(const Place& place, std::string key, std::string message,
                      std::string excerpt) {
    found_.push_back({.file = place.file ? *place.file : std::string{},
                      .line = place.line,
                      .column = place.column,
                      .key = std::move(key),
                      .message = conceal(message),
                      .excerpt = std::move(excerpt)});
}

void Diagnostics::fault(Value& value, std::string key, std::string message) {
    value.faulty = true;
    add(value.place, std::move(key), std::move(message));
}

void Diagnostics::throw_if_any() {
    if (found_.empty()) return;
    std::unordered_map<std::string, std::size_t> order;
    for (const auto& diagnostic : found_)
        order.try_emplace(diagnostic.file, order.size());
    std::stable_sort(found_.begin(), found_.end(), [&](const auto& a, const auto& b) {
        return std::tuple(order.at(a.file), a.line, a.column) <
               std::tuple(order.at(b.file), b.line, b.column);
    });
    if (found_.size() > most_told) {
        const auto further = found_.size() - most_told;
        found_.resize(most_told + 1);
        auto& last = found_.back();
        last.key.clear();
        last.message = fmt::format("and {} more faults, from here on", further);
    }
    throw TemplateError{std::move(found_)};
}

std::string key_path(const std::string& parent, std::string_view key) {
    const bool simple = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
        return is_alphanumeric(c) || c == '_' || c == '-';
    });
    const std::string step = simple ? presentable(key) : '"' + presentable(key) + '"';
    return parent.empty() ? step : parent + '.' + step;
}

std::string key_path(const std::string& parent, std::size_t index) {
    return fmt::format("{}[{}]", parent, index);
}

std::string quote(std::string_view text) {
    return "'" + presentable(text) + "'";
}

const std::string& template_text(const Value& value) {
    return value.interpolated ? value.written : value.text;
}

std::string shown(const Value& value) {
    switch (value.type) {
        case Value::Type::null:
            return "nothing";
        case Value::Type::sequence:
            return "a list";
        case Value::Type::mapping:
            return "a mapping";
        case Value::Type::scalar:
            break;
    }
    if (value.confidential) return "a value that is not shown";
    if (template_text(value).empty()) return "an empty text";
    return quote(template_text(value));
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
    if (word.size() > 64) return {};
    const auto near = nearest(word, candidates);
    return near ? fmt::format(", did you mean '{}'?", *near) : std::string{};
}

}  // namespace podctl::tmpl
