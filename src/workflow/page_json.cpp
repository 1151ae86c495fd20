#include "page_json.hpp"

#include <algorithm>
#include <cctype>
#include <string>

namespace podctl::workflow {
namespace {

bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.';
}

std::string without_nan(std::string_view text) {
    std::string made;
    for (std::size_t i = 0; i < text.size();) {
        if (text[i] == '"') {
            const auto begin = i++;
            while (i < text.size() && text[i] != '"')
                i += text[i] == '\\' ? 2 : 1;
            i = std::min(i + 1, text.size());
            made += text.substr(begin, i - begin);
            continue;
        }
        std::size_t length = 0;
        for (const std::string_view token : {"-Infinity", "Infinity", "NaN"})
            if (text.substr(i).starts_with(token)) length = token.size();
        const bool begins = i == 0 || (!is_word(text[i - 1]) && text[i - 1] != '-');
        const bool ends = i + length >= text.size() || !is_word(text[i + length]);
        if (length != 0 && begins && ends) {
            made += "null";
            i += length;
        } else {
            made += text[i++];
        }
    }
    return made;
}

}  // namespace

std::optional<nlohmann::json> parse_page_json(std::string_view text) {
    if (auto parsed = parse_json(text, workflow_limits)) return parsed;
    // What has none of them is not looked at twice.
    const bool may_have_nan = text.find("NaN") != text.npos || text.find("Infinity") != text.npos;
    if (!may_have_nan || text.size() > workflow_limits.bytes) return std::nullopt;
    return parse_json(without_nan(text), workflow_limits);
}

}  // namespace podctl::workflow
