#include "specifier.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/text.hpp"
#include "podctl/python/python.hpp"

#include "requirement.hpp"

#include <algorithm>
#include <cctype>

namespace podctl::python {

namespace {

// ">= 1.0"
bool is_clause(std::string_view clause) {
    for (const std::string_view comparison : {"===", "==", "~=", "!=", "<=", ">=", "<", ">"}) {
        if (!clause.starts_with(comparison)) continue;
        const auto version = trim(clause.substr(comparison.size()));
        const bool starts = !version.empty() && (version[0] == 'v' || is_digit(version[0]));
        return starts && std::all_of(version.begin(), version.end(), [](char c) {
                   return is_name_character(c) || c == '*' || c == '+' || c == '!';
               });
    }
    return false;
}

bool are_versions(std::string_view text) {
    const auto parts = split(text, ',');
    return std::all_of(parts.begin(), parts.end(), [](const std::string& part) {
        return trim(part).empty() || is_clause(trim(part));
    });
}

// "name-1.0-py3-none-any.whl" → "name"; #egg=name → "name".
std::string name_in_address(std::string_view address) {
    const auto egg = address.find("#egg=");
    if (egg != std::string_view::npos) {
        address.remove_prefix(egg + 5);
        return normalise_name(address.substr(0, address.find_first_of("&[ ")));
    }
    address = address.substr(0, address.find_first_of("?#"));
    if (!address.ends_with(".whl")) return {};
    const auto file = address.substr(address.rfind('/') + 1);
    return normalise_name(file.substr(0, file.find('-')));
}

bool looks_like_path(std::string_view text) {
    return text == "." || text == ".." || text.find('/') != std::string_view::npos ||
           text.ends_with(".whl") || text.ends_with(".tar.gz") || text.ends_with(".zip");
}

Specifier parse_address(std::string_view text) {
    const auto address = trim(text.substr(0, text.find(" ;")));
    if (address.find("://") != std::string_view::npos || address.starts_with("file:")) {
        return {Specifier::Form::url, name_in_address(address), std::string{address}};
    }
    const auto path =
        address.ends_with(']') ? trim(address.substr(0, address.rfind('['))) : address;
    if (!looks_like_path(path)) return {};
    return {Specifier::Form::path, name_in_address(path), std::string{path}};
}

}  // namespace

bool is_name_character(char c) {
    return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
}

Specifier parse_specifier(std::string_view text) {
    std::size_t end = 0;
    while (end < text.size() && is_name_character(text[end]))
        ++end;
    const auto name = text.substr(0, end);
    auto rest = trim(text.substr(end));
    const bool plausible =
        !name.empty() && is_alphanumeric(name.front()) && is_alphanumeric(name.back());
    if (!plausible || rest.starts_with('/') || rest.starts_with(':') || rest.starts_with('+')) {
        return parse_address(text);
    }
    if (rest.starts_with('[')) {
        const auto close = rest.find(']');
        if (close == std::string_view::npos) return {};
        rest = trim(rest.substr(close + 1));
    }
    if (rest.starts_with('@')) {
        const auto target = parse_address(trim(rest.substr(1)));
        if (target.form == Specifier::Form::invalid) return {};
        return {Specifier::Form::named, normalise_name(name), target.target};
    }
    rest = trim(rest.substr(0, rest.find(';')));
    if (rest.empty() && looks_like_path(name)) return parse_address(text);
    if (rest.starts_with('(') && rest.ends_with(')')) rest = rest.substr(1, rest.size() - 2);
    if (!are_versions(rest)) return {};
    return {Specifier::Form::named, normalise_name(name), {}};
}

// In a URL a semicolon is legal, so there a marker is set off by a space (PEP 508).
std::string_view marker_of(std::string_view requirement) {
    const bool has_url = requirement.find("://") != std::string_view::npos;
    const auto at = has_url ? requirement.find(" ;") : requirement.find(';');
    if (at == std::string_view::npos) return {};
    return trim(requirement.substr(at + (has_url ? 2 : 1)));
}

std::string normalise_name(std::string_view name) {
    std::string out;
    for (const char c : name) {
        const bool separator = c == '-' || c == '_' || c == '.';
        if (!separator) {
            out.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
        } else if (out.empty() || out.back() != '-') {
            out.push_back('-');
        }
    }
    return out;
}

std::string bare_address(std::string_view target) {
    target = target.substr(0, target.find('#'));
    if (const auto scheme = target.find("://"); scheme != std::string_view::npos) {
        target.remove_prefix(scheme + 3);
        if (const auto user = target.find('@'); user < target.find('/'))
            target.remove_prefix(user + 1);
    }
    const auto revision = target.rfind('@');
    const auto slash = target.rfind('/');
    const bool has_revision =
        revision != std::string_view::npos && slash != std::string_view::npos && revision > slash;
    return std::string{target.substr(0, has_revision ? revision : target.size())};
}

}  // namespace podctl::python
