#include "text_rules.hpp"

#include "podctl/base/utf8.hpp"

#include "widget_types.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <optional>
#include <set>
#include <vector>

// From ComfyUI_frontend: packages/shared-frontend-utils/src/formatUtil.ts and
// src/utils/searchAndReplace.ts.
namespace podctl::workflow {
namespace {

// JavaScript's dot stops at these; the last two are U+2028 and U+2029.
bool ends_line(std::string_view text, std::size_t at) {
    const auto rest = text.substr(at);
    return rest.starts_with('\n') || rest.starts_with('\r') || rest.starts_with("\xE2\x80\xA8") ||
           rest.starts_with("\xE2\x80\xA9");
}

std::string without_comments(std::string_view text) {
    std::string kept;
    bool may_close = true;
    for (std::size_t i = 0; i < text.size();) {
        const auto rest = text.substr(i, 2);
        if (rest == "/*" && may_close) {
            const auto end = text.find("*/", i + 2);
            may_close = end != std::string_view::npos;
            if (may_close) {
                i = end + 2;
                continue;
            }
        }
        if (rest == "//") {
            while (i < text.size() && !ends_line(text, i))
                ++i;
            continue;
        }
        kept += text[i++];
    }
    return kept;
}

class Chooser {
public:
    explicit Chooser(std::mt19937_64& random) : random_(random) {}

    std::string choose(std::string_view text, int depth = 0) {
        const auto input = without_comments(text);
        // Nobody nests choices as deeply; what does stays as it is.
        constexpr int most = 50;
        if (depth > most) return input;
        std::string result;
        for (std::size_t i = 0; i < input.size();) {
            const char c = input[i++];
            if (c == '\\') {
                result += c;
                if (i < input.size()) result += input[i++];
            } else if (c == '{') {
                result += choose(pick(options_from(input, i)), depth + 1);
            } else {
                result += c;
            }
        }
        return unescaped(result);
    }

private:
    static std::vector<std::string> options_from(const std::string& input, std::size_t& i) {
        std::vector<std::string> options;
        std::string option;
        std::size_t depth = 0;
        while (i < input.size()) {
            const char c = input[i++];
            if (c == '\\') {
                option += c;
                if (i < input.size()) option += input[i++];
                continue;
            }
            if (c == '{') ++depth;
            if (c == '}') {
                if (depth == 0) break;
                --depth;
            }
            if (c == '|' && depth == 0) {
                options.push_back(std::move(option));
                option.clear();
                continue;
            }
            option += c;
        }
        options.push_back(std::move(option));
        return options;
    }
    std::string pick(std::vector<std::string> options) {
        return std::move(options[random_() % options.size()]);
    }
    static std::string unescaped(const std::string& text) {
        std::string plain;
        for (std::size_t i = 0; i < text.size(); ++i) {
            const bool is_escape = text[i] == '\\' && i + 1 < text.size() &&
                                   (text[i + 1] == '{' || text[i + 1] == '}' || text[i + 1] == '|');
            if (is_escape) ++i;
            plain += text[i];
        }
        return plain;
    }

    std::mt19937_64& random_;
};

std::string date_part(std::string_view token, const std::tm& date) {
    const int width = static_cast<int>(token.size());
    switch (token[0]) {
        case 'd':
            return fmt::format("{:0{}}", date.tm_mday, width);
        case 'M':
            return fmt::format("{:0{}}", date.tm_mon + 1, width);
        case 'h':
            return fmt::format("{:0{}}", date.tm_hour, width);
        case 'm':
            return fmt::format("{:0{}}", date.tm_min, width);
        case 's':
            return fmt::format("{:0{}}", date.tm_sec, width);
        default:
            break;
    }
    const auto year = std::to_string(date.tm_year + 1900);
    if (token == "yy") return year.substr(std::min<std::size_t>(2, year.size()));
    if (token == "yyyy") return year;
    return std::string(token);
}

// d, dd, M, MM, h, hh, m, mm, s, ss, yy and yyyy.
std::string formatted_date(std::string_view format, std::chrono::system_clock::time_point now) {
    const auto time = std::chrono::system_clock::to_time_t(now);
    std::tm date{};
    localtime_r(&time, &date);
    std::string text;
    for (std::size_t i = 0; i < format.size();) {
        const char c = format[i];
        const std::size_t most = c == 'y' ? 4 : 2;
        std::size_t length = 0;
        while (length < most && i + length < format.size() && format[i + length] == c)
            ++length;
        const bool is_part =
            c == 'y' ? length >= 2 : std::string_view("dMhms").find(c) != std::string_view::npos;
        if (is_part) {
            text += date_part(format.substr(i, length), date);
            i += length;
        } else {
            text += c;
            ++i;
        }
    }
    return text;
}

// The nodes of the inner graphs stand before the node that stands for them.
void collect_nodes(const PageGraph& graph, std::set<const PageGraph*>& seen,
                   std::vector<const PageNode*>& into) {
    for (const auto& node : graph.nodes) {
        if (node->subgraph && seen.insert(node->subgraph).second)
            collect_nodes(*node->subgraph, seen, into);
        into.push_back(node.get());
    }
}

// The name that a node has for %Node.widget%; a node that saves a file has none by itself.
std::string replacement_name(const PageNode& node) {
    const auto given = text_at(node.properties(), "Node name for S&R");
    if (!given.empty() || !node.known) return given;
    const auto* prefix = node.widget("filename_prefix");
    return prefix && prefix->has_replacements ? std::string() : node.type;
}

std::string as_file_name(const json& value) {
    // Longer than any file name.
    constexpr std::size_t most = 4'096;
    std::string text = value.is_null() || value.is_discarded() ? "" : plain_text(value);
    if (text.size() > most) text = utf8::cut(text, most);
    for (char& c : text) {
        const auto code = static_cast<unsigned char>(c);
        if (code < 0x20 || code == 0x7F ||
            std::string_view("/?<>\\:*|\"").find(c) != std::string_view::npos)
            c = '_';
    }
    return text;
}

std::optional<json> shown_value(const PageNode& node, std::string_view name) {
    if (const auto* widget = node.widget(name)) return value_of(node, *widget);
    for (const auto& slot : node.inputs)
        if (slot.is_promoted && slot.name == name) return slot.promoted;
    return std::nullopt;
}

std::optional<std::string> replacement(const Page& page, std::string_view name,
                                       std::chrono::system_clock::time_point now) {
    const auto dot = name.find('.');
    if (dot == std::string_view::npos) {
        if (name.starts_with("date:")) return formatted_date(name.substr(5), now);
        return std::nullopt;
    }
    if (name.find('.', dot + 1) != std::string_view::npos) {
        // Of more parts than two the page looks at the first alone.
        if (name.starts_with("date:")) return formatted_date(name.substr(5, dot - 5), now);
        return std::nullopt;
    }
    const auto wanted = name.substr(0, dot);
    std::set<const PageGraph*> seen;
    std::vector<const PageNode*> nodes;
    collect_nodes(page.root, seen, nodes);
    auto found = std::ranges::find(nodes, wanted,
                                   [](const PageNode* node) { return replacement_name(*node); });
    if (found == nodes.end())
        found = std::ranges::find(nodes, wanted, [](const PageNode* node) { return node->title; });
    if (found == nodes.end()) return std::nullopt;
    const auto value = shown_value(**found, name.substr(dot + 1));
    return value ? std::optional{as_file_name(*value)} : std::nullopt;
}

}  // namespace

std::string with_choices(std::string_view text, std::mt19937_64& random) {
    return Chooser{random}.choose(text);
}

std::string with_replacements(const Page& page, const std::string& text,
                              std::chrono::system_clock::time_point now) {
    // A workflow has a few; each looks at all nodes.
    constexpr std::size_t most = 5'000;
    std::string result;
    for (std::size_t i = 0; i < text.size();) {
        const auto end = text[i] == '%' ? text.find('%', i + 1) : std::string::npos;
        if (end == std::string::npos || end == i + 1 || ++page.replacements > most) {
            result += text[i++];
            continue;
        }
        const auto whole = text.substr(i, end + 1 - i);
        result += replacement(page, whole.substr(1, whole.size() - 2), now).value_or(whole);
        i = end + 1;
    }
    return result;
}

}  // namespace podctl::workflow
