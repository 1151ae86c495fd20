#include "git_settings.hpp"

#include "podctl/base/names.hpp"

#include <cstdlib>
#include <string>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

// Quotes, escapes and comments taken out.
std::string plain_value(std::string_view text) {
    std::string value;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '"') {
            quoted = !quoted;
        } else if (c == '\\' && i + 1 < text.size()) {
            value += text[++i];
        } else if (!quoted && (c == '#' || c == ';')) {
            break;
        } else {
            value += c;
        }
    }
    return std::string{trim(value)};
}

// A line goes on after a backslash at its end.
std::vector<std::string> whole_lines(std::string_view settings) {
    std::vector<std::string> lines;
    bool goes_on = false;
    for (const auto& part : split(std::string{settings}, '\n')) {
        std::string_view text = part;
        if (text.ends_with('\r')) text.remove_suffix(1);
        const bool has_more = text.ends_with('\\');
        if (has_more) text.remove_suffix(1);
        if (goes_on)
            lines.back() += text;
        else
            lines.emplace_back(text);
        goes_on = has_more;
    }
    return lines;
}

fs::path resolved(const std::string& value, const fs::path& folder) {
    const char* home = std::getenv("HOME");
    if (value.starts_with("~/") && home != nullptr) return fs::path{home} / value.substr(2);
    return folder / value;
}

}  // namespace

std::vector<NamedFile> files_named_in(std::string_view settings, const fs::path& folder) {
    std::vector<NamedFile> files;
    for (const auto& line : whole_lines(settings)) {
        std::string_view text = trim(line);
        // A section's first key may stand in its line. A name in quotes may hold a bracket.
        const auto equals = text.find('=');
        if (equals == text.npos) continue;
        std::string_view key = trim(text.substr(0, equals));
        if (const auto bracket = key.rfind(']'); bracket != key.npos)
            key = trim(key.substr(bracket + 1));
        const auto name = to_lower(key);
        const bool is_settings = name == "path";
        if (!is_settings && name != "excludesfile" && name != "attributesfile") continue;
        const auto value = plain_value(text.substr(equals + 1));
        if (value.empty() || value.find('\0') != value.npos) continue;
        files.push_back({resolved(value, folder), is_settings});
    }
    return files;
}

}  // namespace podctl::git
