#include "interpolate.hpp"

#include "document.hpp"
#include "leaks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace podctl::tmpl {
namespace {

// ${A:-${B:-…}}: more levels than anybody writes.
constexpr int deepest_default = 16;

struct Fault {
    std::string message;
};

struct Expanded {
    std::string text;  // with every variable filled in
    std::string
        printed;  // so that reading it again gives the same text, and secrets stay references
};

// ${NAME} or ${NAME:-default}, at the front of a text.
struct Reference {
    std::string name = {};
    bool has_default = false;
    std::string_view fallback = {};
    std::string_view whole = {};
};

std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text)
        result.append(c == '$' ? 2 : 1, c);
    return result;
}

bool is_name(std::string_view text) {
    return !text.empty() && !std::isdigit(static_cast<unsigned char>(text[0])) &&
           std::all_of(text.begin(), text.end(),
                       [](unsigned char c) { return std::isalnum(c) || c == '_'; });
}

// Where the brace that a reference opened is closed; a default may hold further references.
std::size_t closing_brace(std::string_view text) {
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '$' && i + 1 < text.size() && (text[i + 1] == '$' || text[i + 1] == '{')) {
            depth += text[++i] == '{' ? 1 : 0;
        } else if (text[i] == '}' && --depth == 0) {
            return i;
        }
    }
    return std::string_view::npos;
}

Reference parse_reference(std::string_view text) {
    constexpr auto forms =
        "'${' begins a variable: ${NAME} or ${NAME:-default}; write $$ for a dollar sign";
    const auto end = closing_brace(text);
    if (end == std::string_view::npos) throw Fault{forms};
    const std::string_view inside = text.substr(2, end - 2);
    const auto colon = inside.find(":-");
    Reference reference{.whole = text.substr(0, end + 1)};
    reference.name = inside.substr(0, colon);
    reference.has_default = colon != std::string_view::npos;
    if (reference.has_default) reference.fallback = inside.substr(colon + 2);
    if (!is_name(reference.name)) throw Fault{forms};
    return reference;
}

class Interpolator {
public:
    Interpolator(const Environment& environment, std::set<std::string> secrets,
                 Diagnostics& diagnostics)
        : environment_(environment), secrets_(std::move(secrets)), diagnostics_(diagnostics) {}

    void visit(Value& value, const std::string& path, bool confidential) {
        if (value.is_scalar()) return fill(value, path, confidential);
        for (std::size_t i = 0; i < value.items.size(); ++i) {
            visit(value.items[i], key_path(path, i), confidential);
        }
        for (Entry& entry : value.entries) {
            const bool secret = secrets_.contains(entry.key) || names_a_secret(entry.key);
            visit(entry.value, key_path(path, entry.key), secret && path != "");
        }
    }

private:
    void fill(Value& value, const std::string& path, bool confidential) {
        if (value.text.find('$') == std::string::npos) return;
        try {
            Expanded expanded = expand(value.text, 0);
            // A token put together of pieces is one, too.
            const bool hide = confidential || looks_secret(expanded.printed);
            value.written = std::exchange(value.text, std::move(expanded.text));
            value.printed = hide ? value.written : std::move(expanded.printed);
            value.interpolated = true;
        } catch (const Fault& fault) {
            diagnostics_.fault(value, path, fault.message);
        }
    }

    Expanded expand(std::string_view text, int depth) {
        if (depth > deepest_default) throw Fault{"defaults are nested too deeply"};
        Expanded result;
        while (!text.empty()) {
            const auto dollar = std::min(text.find('$'), text.size());
            result.text += text.substr(0, dollar);
            result.printed += text.substr(0, dollar);
            text.remove_prefix(dollar);
            if (text.starts_with("${")) {
                const Reference reference = parse_reference(text);
                append(result, look_up(reference, depth));
                text.remove_prefix(reference.whole.size());
            } else if (text.starts_with("$$")) {
                append(result, {"$", "$$"});
                text.remove_prefix(2);
            } else if (!text.empty()) {
                append(result, {"$", "$"});
                text.remove_prefix(1);
            }
        }
        return result;
    }

    Expanded look_up(const Reference& reference, int depth) {
        const auto value = environment_(reference.name);
        if (!value && !reference.has_default) {
            throw Fault{fmt::format(
                "the environment variable {0} is not set; set it, or write ${{{0}:-default}}",
                reference.name)};
        }
        const bool set = value && !(value->empty() && reference.has_default);
        Expanded result =
            set ? Expanded{*value, escaped(*value)} : expand(reference.fallback, depth + 1);
        const bool secret = secrets_.contains(reference.name) || names_a_secret(reference.name) ||
                            looks_secret(result.text);
        if (secret) result.printed = reference.whole;
        return result;
    }

    // Aliases and long values together could fill the memory.
    void append(Expanded& to, Expanded more) {
        expanded_ += more.text.size();
        if (expanded_ > Limits::text)
            throw Fault{"variables expand to more text than a template may have"};
        to.text += more.text;
        to.printed += more.printed;
    }

    const Environment& environment_;
    std::set<std::string> secrets_;
    Diagnostics& diagnostics_;
    std::size_t expanded_ = 0;
};

std::set<std::string> secret_names(const Value& root) {
    std::set<std::string> names;
    const Value* secrets = root.find("secrets");
    if (!secrets) return names;
    for (const Value& item : secrets->items)
        names.insert(item.text);
    return names;
}

}  // namespace

void interpolate(Value& root, const Environment& environment, Diagnostics& diagnostics) {
    Interpolator{environment, secret_names(root), diagnostics}.visit(root, {}, false);
}

}  // namespace podctl::tmpl
