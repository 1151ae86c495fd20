#include "interpolate.hpp"

#include "podctl/base/secret_names.hpp"
#include "podctl/base/text.hpp"

#include "document.hpp"
#include "leaks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podctl::tmpl {
namespace {

// ${A:-${B:-…}}: more levels than anybody writes.
constexpr int deepest_default = 16;

struct Mistake {
    std::string message;
};

struct Expanded {
    std::string text = {};  // with every variable filled in
    // So that reading it again gives the same text, and secrets stay references.
    std::string printed = {};
    bool from_environment = false;         // a variable's value is in it
    bool secret = false;                   // that of a secret
    std::vector<std::string> hidden = {};  // values that no output may show
};

// ${NAME} or ${NAME:-default}, at the front of a text.
struct Reference {
    std::string name = {};
    bool has_default = false;
    std::string_view fallback = {};
    std::string_view whole = {};
};

std::string with_dollars_doubled(std::string_view text) {
    std::string result;
    for (const char c : text)
        result.append(c == '$' ? 2 : 1, c);
    return result;
}

bool is_name(std::string_view text) {
    return !text.empty() && !is_digit(text[0]) && std::all_of(text.begin(), text.end(), [](char c) {
        return is_alphanumeric(c) || c == '_';
    });
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
    if (end == std::string_view::npos) throw Mistake{forms};
    const std::string_view inside = text.substr(2, end - 2);
    const auto colon = inside.find(":-");
    Reference reference{.whole = text.substr(0, end + 1)};
    reference.name = inside.substr(0, colon);
    reference.has_default = colon != std::string_view::npos;
    if (reference.has_default) reference.fallback = inside.substr(colon + 2);
    if (!is_name(reference.name)) throw Mistake{forms};
    return reference;
}

// What stands behind the ? of a URL is as often a licence or a signature as not.
bool is_in_query(std::string_view before) {
    const auto scheme = before.find("://");
    return scheme != std::string_view::npos && before.find('?', scheme) != std::string_view::npos;
}

// Environments are where secrets belong; any other value is sent, printed or shown.
enum class Where { environment, elsewhere };

bool is_environment(std::string_view path, std::string_view key) {
    const bool of_service =
        path.starts_with("services[") && path.find('.') == std::string_view::npos;
    return key == "env" && (path == "pod" || of_service);
}

class Interpolator {
public:
    Interpolator(const Environment& environment, std::set<std::string> secrets,
                 Diagnostics& diagnostics)
        : environment_(environment), secrets_(std::move(secrets)), diagnostics_(diagnostics) {}

    void visit(Value& value, const std::string& path, Where where, bool confidential) {
        if (value.is_scalar()) return fill(value, path, where, confidential);
        for (std::size_t i = 0; i < value.items.size(); ++i) {
            visit(value.items[i], key_path(path, i), where, confidential);
        }
        for (Entry& entry : value.entries) {
            const Where below = is_environment(path, entry.key) ? Where::environment : where;
            visit(entry.value, key_path(path, entry.key), below,
                  is_secret(entry.key) && !path.empty());
        }
    }

private:
    bool is_secret(const std::string& name) const {
        return secrets_.contains(name) || names_a_secret(name);
    }

    void fill(Value& value, const std::string& path, Where where, bool confidential) {
        if (value.text.find('$') == std::string::npos) return;
        try {
            if (where == Where::elsewhere) refuse_secrets(value.text, 0);
            Expanded expanded = expand(value.text, 0);
            // A token put together of pieces is one, too.
            const bool hide = confidential || looks_secret(expanded.printed);
            value.written = std::exchange(value.text, std::move(expanded.text));
            value.printed = hide ? value.written : std::move(expanded.printed);
            value.from_environment = expanded.from_environment;
            value.secret = expanded.secret;
            value.hidden = std::move(expanded.hidden);
            value.interpolated = true;
        } catch (const Mistake& fault) {
            diagnostics_.fault(value, path, fault.message);
        }
    }

    // Also in defaults that are not used this time.
    void refuse_secrets(std::string_view text, int depth) const {
        if (depth > deepest_default) return;  // expand() tells
        for (auto at = text.find('$'); at != std::string_view::npos; at = text.find('$')) {
            text.remove_prefix(at);
            if (!text.starts_with("${")) {
                text.remove_prefix(text.starts_with("$$") ? 2 : 1);
                continue;
            }
            const Reference reference = parse_reference(text);
            if (is_secret(reference.name)) {
                throw Mistake{fmt::format(
                    "${{{0}}} is a secret (by `secrets`, or by its name); it may stand in pod.env "
                    "and services[].env only: anywhere else it would be sent, printed or seen in a "
                    "process's arguments",
                    reference.name)};
            }
            refuse_secrets(reference.fallback, depth + 1);
            text.remove_prefix(reference.whole.size());
        }
    }

    Expanded expand(std::string_view text, int depth) {
        if (depth > deepest_default) throw Mistake{"defaults are nested too deeply"};
        Expanded result;
        while (!text.empty()) {
            const auto dollar = std::min(text.find('$'), text.size());
            result.text += text.substr(0, dollar);
            result.printed += text.substr(0, dollar);
            text.remove_prefix(dollar);
            if (text.starts_with("${")) {
                const Reference reference = parse_reference(text);
                Expanded value = look_up(reference, depth);
                if (value.from_environment && is_in_query(result.text)) {
                    value.hidden.push_back(value.text);
                    value.printed = reference.whole;
                }
                append(result, std::move(value));
                text.remove_prefix(reference.whole.size());
            } else if (text.starts_with("$$")) {
                append(result, {.text = "$", .printed = "$$"});
                text.remove_prefix(2);
            } else if (!text.empty()) {
                append(result, {.text = "$", .printed = "$"});
                text.remove_prefix(1);
            }
        }
        return result;
    }

    Expanded look_up(const Reference& reference, int depth) {
        const auto value = environment_(reference.name);
        if (!value && !reference.has_default) {
            throw Mistake{fmt::format(
                "the environment variable {0} is not set; set it, or write ${{{0}:-default}}; "
                "$${{{0}}} is for the program that reads it",
                reference.name)};
        }
        const bool set = value && !(value->empty() && reference.has_default);
        if (set) require_room_for(*value);  // before it is looked through
        Expanded result = set ? Expanded{.text = *value, .printed = with_dollars_doubled(*value)}
                              : expand(reference.fallback, depth + 1);
        const bool secret = is_secret(reference.name) || looks_secret(result.text);
        if (secret) result.printed = reference.whole;
        result.secret = result.secret || secret;
        result.from_environment = result.from_environment || (set && !value->empty());
        return result;
    }

    // Aliases and long values together could fill the memory.
    void require_room_for(std::string_view text) const {
        if (text.size() > Limits::text - expanded_)
            throw Mistake{"variables expand to more text than a template may have"};
    }

    void append(Expanded& to, Expanded more) {
        require_room_for(more.text);
        expanded_ += more.text.size();
        to.text += more.text;
        to.printed += more.printed;
        to.from_environment = to.from_environment || more.from_environment;
        to.secret = to.secret || more.secret;
        std::move(more.hidden.begin(), more.hidden.end(), std::back_inserter(to.hidden));
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
    Interpolator{environment, secret_names(root), diagnostics}.visit(root, {}, Where::elsewhere,
                                                                     false);
}

}  // namespace podctl::tmpl
