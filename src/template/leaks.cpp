#include "leaks.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/secret_names.hpp"
#include "podctl/base/text.hpp"

#include "diagnostics.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace podctl::tmpl {
namespace {

bool is_word(char c) {
    return is_alphanumeric(c) || c == '_' || c == '-';
}

// A token that is known by how it begins. What follows is `least` or more letters and digits (and,
// where they occur in it, _ and -).
struct Prefix {
    std::string_view text;
    std::size_t least;
    bool dashes = false;
    bool needs_digit = false;  // the prefix begins ordinary words, too
};

constexpr std::array prefixes = {
    Prefix{"hf_", 20},
    Prefix{"api_org_", 20},
    Prefix{"ghp_", 20},
    Prefix{"gho_", 20},
    Prefix{"ghu_", 20},
    Prefix{"ghs_", 20},
    Prefix{"ghr_", 20},
    Prefix{"github_pat_", 20, true},
    Prefix{"glpat-", 16, true},
    Prefix{"sk-", 20, true, true},
    Prefix{"rpa_", 20},
    Prefix{"r8_", 30},
    Prefix{"AKIA", 16},
    Prefix{"ASIA", 16},
    Prefix{"xoxb-", 10, true, true},
    Prefix{"xoxp-", 10, true, true},
    Prefix{"AIza", 30, true, true},
};

struct Span {
    std::size_t begin = 0;
    std::size_t end = 0;
};

std::optional<Span> token_at(std::string_view text, std::size_t at) {
    if (at > 0 && is_word(text[at - 1])) return std::nullopt;
    for (const auto& prefix : prefixes) {
        if (!text.substr(at).starts_with(prefix.text)) continue;
        std::size_t end = at + prefix.text.size();
        bool digit = false;
        while (end < text.size() &&
               (prefix.dashes ? is_word(text[end]) : is_alphanumeric(text[end]))) {
            digit = digit || is_digit(text[end]);
            ++end;
        }
        const bool long_enough = end - at - prefix.text.size() >= prefix.least;
        if (long_enough && (digit || !prefix.needs_digit)) return Span{at, end};
    }
    return std::nullopt;
}

// $NAME, $(command) and <placeholder> stand for a value that is elsewhere.
bool is_literal(std::string_view text) {
    constexpr std::string_view stands_for = "$<{*-";
    return !text.empty() && stands_for.find(text.front()) == std::string_view::npos;
}

// What follows `Bearer ` or `token=`, up to what ends a word in a URL or a shell; empty where that
// is no literal.
Span literal_at(std::string_view text, std::size_t at) {
    if (at < text.size() && (text[at] == '"' || text[at] == '\'')) ++at;
    if (at >= text.size() || !is_literal(text.substr(at, 1))) return {at, at};
    const auto end = text.find_first_of("&#;,\"' \t\n)]}|", at);
    return {at, std::min(end, text.size())};
}

// An option or a parameter whose value is the secret itself. --ssl-key and the like name files.
bool is_secret_option(std::string_view word) {
    if (!names_a_secret(word)) return false;
    if (!word.ends_with("key") && !word.ends_with("keys")) return true;
    static constexpr std::array<std::string_view, 6> kinds = {"api",     "secret", "access",
                                                              "private", "auth",   "civitai"};
    return std::any_of(kinds.begin(), kinds.end(), [&](std::string_view kind) {
        return word.find(kind) != std::string_view::npos;
    });
}

// token=…, ?key=…, --password …; `at` is where the separator stands.
std::optional<Span> parameter_at(std::string_view text, std::size_t at) {
    std::size_t begin = at;
    // No parameter has a longer name, and an unbounded look back would be quadratic.
    while (begin > 0 && at - begin < 40 && is_word(text[begin - 1]))
        --begin;
    const std::string word = to_lower(text.substr(begin, at - begin));
    const bool query = begin > 0 && (text[begin - 1] == '?' || text[begin - 1] == '&');
    if (text[at] == ' ' && !word.starts_with("--")) return std::nullopt;
    if (!(query && word == "key") && !is_secret_option(word)) return std::nullopt;
    const Span value = literal_at(text, at + 1);
    const std::string_view literal = text.substr(value.begin, value.end - value.begin);
    if (word == "key" && literal.size() < 16) return std::nullopt;
    // --max-token=4096 is a number.
    const bool number = std::all_of(literal.begin(), literal.end(), is_digit);
    const std::size_t least = query ? 4 : 8;
    if (literal.size() < least || (number && literal.size() < 16)) return std::nullopt;
    return value;
}

// scheme://user:password@host; `at` is where :// stands.
std::optional<Span> userinfo_at(std::string_view text, std::size_t at) {
    const std::size_t begin = at + 3;
    const std::size_t end = std::min(text.find_first_of("/?# \t\n\"'", begin), text.size());
    const std::string_view authority = text.substr(begin, end - begin);
    const std::size_t sign = authority.rfind('@');
    if (sign == std::string_view::npos) return std::nullopt;
    const std::string_view userinfo = authority.substr(0, sign);
    const std::size_t colon = userinfo.find(':');
    if (colon != std::string_view::npos) {
        if (!is_literal(userinfo.substr(colon + 1))) return std::nullopt;
        return Span{begin + colon + 1, begin + sign};
    }
    // Hosts of git take a token as the user; a user's name is shorter.
    const std::string_view scheme = text.substr(0, at);
    const bool http = scheme.ends_with("http") || scheme.ends_with("https");
    if (!http || userinfo.size() < 16 || !is_literal(userinfo)) return std::nullopt;
    return Span{begin, begin + sign};
}

std::optional<Span> bearer_at(std::string_view text, std::size_t at) {
    constexpr std::string_view word = "bearer ";
    if (text.size() - at < word.size() || to_lower(text.substr(at, word.size())) != word) {
        return std::nullopt;
    }
    const Span value = literal_at(text, at + word.size());
    const auto literal = text.substr(value.begin, value.end - value.begin);
    return literal.size() >= 16 ? std::optional(value) : std::nullopt;
}

std::optional<Span> private_key_at(std::string_view text, std::size_t at) {
    constexpr std::string_view begin = "-----BEGIN ";
    if (!text.substr(at).starts_with(begin)) return std::nullopt;
    if (text.substr(at, 64).find("PRIVATE KEY") == std::string_view::npos) return std::nullopt;
    return Span{at, text.size()};
}

std::optional<Span> secret_at(std::string_view text, std::size_t at) {
    switch (text[at]) {
        case '=':
        case ' ':
            return parameter_at(text, at);
        case ':':
            return text.substr(at).starts_with("://") ? userinfo_at(text, at) : std::nullopt;
        case '-':
            return private_key_at(text, at);
        case 'b':
        case 'B':
            return bearer_at(text, at);
        default:
            return token_at(text, at);
    }
}

std::optional<Span> next_secret(std::string_view text, std::size_t from) {
    for (std::size_t at = from; at < text.size(); ++at) {
        if (auto span = secret_at(text, at)) return span;
    }
    return std::nullopt;
}

// A value under a secret's name that is the secret itself. `${NAME}` and the platform's
// `{{ RUNPOD_SECRET_name }}` are references; a switch or a number is none of interest.
bool is_secret_value(std::string_view text) {
    static constexpr std::array<std::string_view, 8> switches = {"0",   "1",  "true", "false",
                                                                 "yes", "no", "on",   "off"};
    const std::string word = to_lower(trim(text));
    if (word.empty() || std::find(switches.begin(), switches.end(), word) != switches.end()) {
        return false;
    }
    if (word.starts_with("{{") || word.starts_with("<")) return false;
    const auto reference = word.find("${");
    if (reference == std::string::npos) return true;
    const auto fallback = word.find(":-", reference);
    return fallback != std::string::npos && word.find('}', reference) > fallback + 2;
}

// Civitai's keys are 32 hex digits, and so are other things: only under a name that speaks of a
// key.
bool is_hex_key(std::string_view name, std::string_view text) {
    const std::string lower = to_lower(name);
    const bool key = lower.find("key") != std::string::npos ||
                     lower.find("auth") != std::string::npos ||
                     lower.find("civitai") != std::string::npos;
    return key && text.size() == 32 && std::all_of(text.begin(), text.end(), is_hex_digit);
}

constexpr auto advice =
    "a literal here looks like a secret (not shown); name it in `secrets` and give its value by "
    "the "
    "environment or a file, or write ${NAME}";

void report(Value& value, const std::string& path, Diagnostics& diagnostics) {
    value.confidential = true;
    diagnostics.fault(value, path, advice);
}

void find_in_sequence(Value& value, const std::string& path, Diagnostics& diagnostics) {
    for (std::size_t i = 0; i < value.items.size(); ++i) {
        Value& item = value.items[i];
        const std::string item_path = key_path(path, i);
        // [--token, abc]: an option and its value as two arguments.
        const Value* before = i > 0 ? &value.items[i - 1] : nullptr;
        const bool option = before && before->is_scalar() && before->text.starts_with("--") &&
                            is_secret_option(to_lower(before->text));
        if (option && item.is_scalar() && is_literal(item.text) && is_secret_value(item.text)) {
            report(item, item_path, diagnostics);
        } else {
            find_secrets(item, item_path, diagnostics);
        }
    }
}

void find_in_mapping(Value& value, const std::string& path, Diagnostics& diagnostics) {
    for (auto& [key, place, child] : value.entries) {
        if (looks_secret(key)) {
            diagnostics.add(place, path, std::string("a key: ") + advice);
        }
        const std::string child_path = key_path(path, key);
        // `secrets` and its like hold names.
        const bool named = key != "secrets" && key != "build_secrets" && names_a_secret(key);
        if (child.is_scalar() &&
            ((named && is_secret_value(child.text)) || is_hex_key(key, child.text))) {
            report(child, child_path, diagnostics);
        } else {
            find_secrets(child, child_path, diagnostics);
        }
    }
}

}  // namespace

bool looks_secret(std::string_view text) {
    return next_secret(text, 0).has_value();
}

std::string conceal(std::string_view text) {
    std::string result;
    std::size_t done = 0;
    while (const auto span = next_secret(text, done)) {
        result += text.substr(done, span->begin - done);
        result += "***";
        done = span->end;
    }
    return result.append(text.substr(done));
}

void find_secrets(Value& value, const std::string& path, Diagnostics& diagnostics) {
    switch (value.type) {
        case Value::Type::null:
            return;
        case Value::Type::scalar:
            if (looks_secret(value.text)) report(value, path, diagnostics);
            return;
        case Value::Type::sequence:
            return find_in_sequence(value, path, diagnostics);
        case Value::Type::mapping:
            return find_in_mapping(value, path, diagnostics);
    }
}

}  // namespace podctl::tmpl
