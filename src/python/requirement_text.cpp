#include "requirement_text.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/secret_names.hpp"

#include <cctype>
#include <cstdlib>
#include <regex>
#include <utility>

namespace podctl::python {

namespace {

bool is_comment(std::string_view line) {
    return trim(line).starts_with('#');
}

// A # is a comment at the start or after white space only: URLs have fragments.
std::string without_comment(std::string_view line) {
    for (std::size_t at = 0; at < line.size(); ++at) {
        if (line[at] != '#') continue;
        const bool starts = at == 0 || std::isspace(static_cast<unsigned char>(line[at - 1])) != 0;
        if (starts) return std::string{trim(line.substr(0, at))};
    }
    return std::string{trim(line)};
}

}  // namespace

std::vector<LogicalLine> logical_lines(std::string_view text) {
    std::vector<LogicalLine> lines;
    LogicalLine joined;
    const auto finish = [&](std::string_view last, int number) {
        if (joined.number == 0) joined.number = number;
        joined.text += last;
        joined.text = without_comment(joined.text);
        if (!joined.text.empty()) lines.push_back(joined);
        joined = {};
    };
    int number = 0;
    for (std::string& line : split(text, '\n')) {
        ++number;
        if (line.ends_with('\r')) line.pop_back();
        if (is_comment(line)) {
            finish(" " + line, number);
        } else if (line.ends_with('\\')) {
            line.pop_back();
            if (joined.number == 0) joined.number = number;
            joined.text += line;
        } else {
            finish(line, number);
        }
    }
    finish("", number);
    return lines;
}

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    std::string word;
    bool open = false;
    char quote = 0;
    for (const char c : text) {
        if (quote != 0) {
            if (c == quote) {
                quote = 0;
            } else {
                word.push_back(c);
            }
        } else if (c == '"' || c == '\'') {
            quote = c;
            open = true;
        } else if (std::isspace(static_cast<unsigned char>(c)) == 0) {
            word.push_back(c);
            open = true;
        } else if (open) {
            words.push_back(std::exchange(word, {}));
            open = false;
        }
    }
    if (open) words.push_back(word);
    return words;
}

std::string with_variables(const std::string& text) {
    static const std::regex variable{R"(\$\{([A-Z0-9_]+)\})"};
    std::string out;
    auto rest = text.cbegin();
    for (std::sregex_iterator at{text.begin(), text.end(), variable}, end; at != end; ++at) {
        out.append(rest, (*at)[0].first);
        const std::string name = (*at)[1].str();
        const char* value = is_secret_variable(name) ? nullptr : std::getenv(name.c_str());
        out += value != nullptr ? value : (*at)[0].str();
        rest = (*at)[0].second;
    }
    return out.append(rest, text.cend());
}

}  // namespace podctl::python
