#include "yaml_fault.hpp"

#include "podctl/base/utf8.hpp"

#include "leaks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <vector>

namespace podctl::tmpl {
namespace {

constexpr std::size_t longest_line = 100;

std::string_view line_of(std::string_view text, int line) {
    for (; line > 1 && !text.empty(); --line)
        text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
    auto found = text.substr(0, text.find('\n'));
    if (found.ends_with('\r')) found.remove_suffix(1);
    return found;
}

std::size_t indentation_of(std::string_view line) {
    return std::min(line.find_first_not_of(' '), line.size());
}

bool is_blank_or_comment(std::string_view line) {
    const auto first = line.find_first_not_of(" \t");
    return first == std::string_view::npos || line[first] == '#';
}

// Of the lines above, which a line may stand below as their neighbour.
std::string odd_indentation(std::string_view text, int line) {
    const auto own = indentation_of(line_of(text, line));
    std::set<std::size_t> others;
    for (int above = line - 1; above > 0; --above) {
        const auto it = line_of(text, above);
        if (is_blank_or_comment(it)) continue;
        others.insert(indentation_of(it));
        if (indentation_of(it) == 0) break;
    }
    if (others.empty() || others.contains(own)) return {};
    std::vector<std::size_t> sorted(others.begin(), others.end());
    return fmt::format(
        " (this line is indented by {}, the ones above it by {}: what belongs together begins in "
        "one column)",
        own, fmt::join(sorted, ", "));
}

// Where the innermost bracket was opened that nothing closes before `end`, outside of quotes and
// comments.
std::optional<int> line_of_open_bracket(std::string_view text, int end) {
    std::vector<int> open;
    int line = 1;
    char quote = 0, before = '\n';
    bool is_comment = false;
    for (const char c : text) {
        if (c == '\n') {
            ++line;
            is_comment = false;
            if (line > end + 1) break;
        } else if (is_comment) {
        } else if (quote != 0) {
            if (c == quote) quote = 0;
        } else if ((c == '"' || c == '\'') &&
                   std::string_view{" [{,:\n"}.find(before) != std::string_view::npos) {
            quote = c;
        } else if (c == '#' && (before == ' ' || before == '\n')) {
            is_comment = true;
        } else if (c == '[' || c == '{') {
            open.push_back(line);
        } else if ((c == ']' || c == '}') && !open.empty()) {
            open.pop_back();
        }
        before = c;
    }
    if (open.empty()) return std::nullopt;
    return open.back();
}

}  // namespace

std::string likely_cause(std::string_view message, std::string_view text, TextPlace at) {
    const auto says = [&](std::string_view part) { return message.find(part) != message.npos; };
    // `cors: *` is the everyday way to get here.
    std::string cause;
    if (says("alias") || says("anchor")) cause = " (text that begins with * or & needs quotes)";
    if (at.line == 0) return cause;
    const auto line = line_of(text, at.line);
    const auto rest =
        line.substr(std::min(static_cast<std::size_t>(std::max(at.column - 1, 0)), line.size()));
    if (!rest.empty() && std::string_view{"@`%"}.find(rest.front()) != std::string_view::npos)
        cause += fmt::format(" (text that begins with {} needs quotes)", rest.front());
    const auto blanks = line.substr(0, std::min(line.find_first_not_of(" \t"), line.size()));
    if (blanks.find('\t') != std::string_view::npos)
        return cause + " (this line is indented with a tab; YAML takes spaces)";
    if (says("flow")) {
        if (const auto opened = line_of_open_bracket(text, at.line))
            cause += fmt::format(" (the bracket that line {} opens is not closed)", *opened);
        return cause;
    }
    if (says("illegal map value"))
        return cause +
               " (text with \": \" in it needs quotes, and a key stands on a line of its own)";
    if (says("end of map") || says("end of sequence")) cause += odd_indentation(text, at.line);
    return cause;
}

std::string excerpt(std::string_view text, TextPlace at) {
    if (at.line < 1) return {};
    const auto width = std::to_string(at.line).size();
    std::string shown;
    for (int line = std::max(at.line - 1, 1); line <= at.line; ++line)
        shown += fmt::format("  {:>{}} | {}\n", line, width,
                             utf8::cut(conceal(line_of(text, line)), longest_line));
    // A tab is shown as it stands, so one stands below it, too.
    std::string indent;
    std::string_view before = line_of(text, at.line);
    for (int column = 1; column < at.column && !before.empty(); ++column) {
        const auto [code, length, valid] = utf8::decode(before);
        indent += code == '\t' ? '\t' : ' ';
        before.remove_prefix(length);
    }
    return shown + fmt::format("  {:>{}} | {}^", "", width, indent);
}

}  // namespace podctl::tmpl
