#include "live_view.hpp"

#include "podctl/base/units.hpp"

#include "output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

namespace podctl::cli {
namespace {

constexpr std::size_t bar_size = 10;
constexpr std::size_t least_name = 20;
constexpr std::size_t most_name = 60;

// One character of UTF-8, or one byte that is none.
struct Character {
    std::string_view bytes;
    char32_t code = 0;
};

Character first_character(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t size = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : 4;
    if (size == 1 || lead >> 6 == 2 || text.size() < size) return {text.substr(0, 1), lead};
    char32_t code = lead & (0xFFu >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        const auto next = static_cast<unsigned char>(text[i]);
        if (next >> 6 != 2) return {text.substr(0, 1), lead};
        code = code << 6 | (next & 0x3Fu);
    }
    return {text.substr(0, size), code};
}

bool is_control(const Character& it) {
    return it.code < 0x20 || (it.code >= 0x7F && it.code < 0xA0) ||
           (it.bytes.size() == 1 && it.code >= 0x80);
}

// Two columns for what East Asian scripts and emoji take (Unicode Standard Annex 11, in the large).
std::size_t columns_of(char32_t code) {
    const auto within = [&](char32_t from, char32_t to) { return code >= from && code <= to; };
    if (within(0x0300, 0x036F) || within(0x200B, 0x200F) || within(0xFE00, 0xFE0F)) return 0;
    const bool is_wide =
        within(0x1100, 0x115F) || within(0x2E80, 0xA4CF) || within(0xAC00, 0xD7A3) ||
        within(0xF900, 0xFAFF) || within(0xFE30, 0xFE6F) || within(0xFF00, 0xFF60) ||
        within(0xFFE0, 0xFFE6) || within(0x1F300, 0x1FAFF) || within(0x20000, 0x3FFFD);
    return is_wide ? 2 : 1;
}

constexpr std::size_t gap = 2, percent_width = 4, eta_width = 6, rate_width = 10,
                      amounts_width = 17;

// What a line says beside the percentage and the time left.
struct Columns {
    std::size_t name = 0;
    bool rate = true, amounts = true, bar = true;

    std::size_t others() const {
        return gap + percent_width + gap + eta_width + (rate ? gap + rate_width : 0) +
               (amounts ? gap + amounts_width : 0) + (bar ? gap + bar_size + 2 : 0);
    }
};

// A file that cannot be told from the next is worth less than a bar.
Columns columns_for(std::size_t longest_name, std::size_t width) {
    const std::size_t longest = std::clamp(longest_name, std::size_t{1}, most_name);
    const std::size_t wanted = std::min(longest, std::max(least_name, width / 2));
    Columns columns;
    for (bool* field : {&columns.bar, &columns.amounts, &columns.rate})
        if (columns.others() + wanted > width) *field = false;
    const std::size_t others = columns.others();
    columns.name = width > others ? std::min(longest, width - others) : 1;
    return columns;
}

std::string padded(std::string text, std::size_t columns) {
    const std::size_t width = text_width(text);
    if (width < columns) text.append(columns - width, ' ');
    return text;
}

std::string amount(const Reading& it, std::uint64_t count) {
    return it.unit == "bytes" ? format_bytes({count}) : std::to_string(count);
}

std::string amounts(const Reading& it) {
    std::string text = amount(it, it.done);
    if (it.total && *it.total > 0) text += "/" + amount(it, *it.total);
    return text;
}

std::string bar(double percent) {
    const auto filled = static_cast<std::size_t>(percent / 100 * bar_size);
    return "[" + std::string(filled, '#') + std::string(bar_size - filled, '.') + "]";
}

std::string without_end_spaces(std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
}

bool moves(const Reading& it) {
    return it.rate >= 1 && !(it.total && it.remaining() == 0);
}

// Whole ones: 99.9 is not done yet.
double percent_of(const Reading& it) {
    if (!it.total || *it.total == 0) return 0;
    const double part = static_cast<double>(it.done) / static_cast<double>(*it.total);
    return std::floor(std::min(1.0, part) * 100);
}

// Everything stands below the same of the line above.
std::string figures(const Reading& it, const Columns& columns) {
    const bool has_total = it.total && *it.total > 0;
    const double percent = percent_of(it);
    std::string text;
    if (columns.bar) text += "  " + (has_total ? bar(percent) : std::string(bar_size + 2, ' '));
    text += has_total ? fmt::format("  {:>3.0f}%", percent) : std::string(gap + percent_width, ' ');
    if (columns.amounts || !has_total)
        text += fmt::format("  {:>{}}", amounts(it), columns.amounts ? amounts_width : 0);
    if (it.unit != "bytes")
        return text + " " + it.unit + (it.detail.empty() ? "" : ", " + it.detail);
    if (columns.rate)
        text += fmt::format("  {:>{}}", moves(it) ? format_rate(it.rate) : "", rate_width);
    if (it.eta && it.remaining() > 0)
        text += fmt::format("  {:>{}}", format_eta(*it.eta), eta_width);
    return text;
}

std::string line_for(const LiveStep& step, const Columns& columns) {
    const std::string name = padded(clipped_front(step.id, columns.name), columns.name);
    if (!step.progress) return name + "  " + format_eta(step.running);
    return without_end_spaces(name + figures(*step.progress, columns));
}

// As much as there is room for.
std::string line_for(const Overall& all, std::size_t hidden, std::size_t width) {
    const std::string least = line_of(all).text;
    const std::string files = fmt::format("{}, {} of {} files", least, all.files_done, all.files);
    std::string brief = "in all:";
    if (all.bytes.total && *all.bytes.total > 0)
        brief += fmt::format(" {:.0f}%", percent_of(all.bytes));
    brief += " " + format_rate(all.bytes.rate);
    if (all.bytes.eta) brief += " " + format_eta(*all.bytes.eta);
    for (const auto& text :
         {hidden > 0 ? fmt::format("{}, {} not shown", files, hidden) : files, files, least})
        if (text_width(text) <= width) return text;
    return clipped(brief, width);
}

}  // namespace

std::size_t text_width(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const auto next = first_character(text);
        width += is_control(next) ? 1 : columns_of(next.code);
        text.remove_prefix(next.bytes.size());
    }
    return width;
}

std::string clipped(std::string_view text, std::size_t columns) {
    std::string kept;
    std::size_t width = 0;
    while (!text.empty()) {
        const auto next = first_character(text);
        width += is_control(next) ? 1 : columns_of(next.code);
        if (width > columns) break;
        kept += is_control(next) ? std::string_view{"?"} : next.bytes;
        text.remove_prefix(next.bytes.size());
    }
    return kept;
}

std::string clipped_front(std::string_view text, std::size_t columns) {
    std::size_t width = text_width(text);
    if (width <= columns) return clipped(text, columns);
    constexpr std::string_view dots = "...";
    if (columns <= dots.size()) return clipped(text, columns);
    while (width > columns - dots.size()) {
        const auto next = first_character(text);
        width -= is_control(next) ? 1 : columns_of(next.code);
        text.remove_prefix(next.bytes.size());
    }
    return std::string{dots} + clipped(text, columns);
}

std::vector<std::string> live_lines(std::vector<LiveStep> steps, const Overall& all,
                                    ScreenSize screen) {
    const std::size_t width = screen.columns > 1 ? screen.columns - 1 : 1;
    const std::size_t room = screen.rows > 3 ? screen.rows - 2 : 1;
    const std::size_t hidden = steps.size() > room ? steps.size() - room : 0;
    if (hidden > 0) {
        std::ranges::stable_sort(steps, std::greater{}, [](const LiveStep& it) {
            return it.progress ? std::pair{moves(*it.progress), it.progress->remaining()}
                               : std::pair{false, std::uint64_t{0}};
        });
        steps.resize(room);
    }
    std::size_t longest = 0;
    for (const auto& step : steps)
        longest = std::max(longest, text_width(step.id));
    const Columns columns = columns_for(longest, width);
    std::vector<std::string> lines;
    for (const auto& step : steps)
        lines.push_back(clipped(line_for(step, columns), width));
    if (all.files_running > 1) lines.push_back(line_for(all, hidden, width));
    return lines;
}

}  // namespace podctl::cli
