// What a pack lists in its pyproject.toml alone (PEP 621).
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/text.hpp"
#include "podctl/base/utf8.hpp"
#include "podctl/comfy/comfy.hpp"

#include <toml.hpp>

#include <algorithm>
#include <exception>
#include <sstream>
#include <string_view>
#include <system_error>

namespace podctl::comfy {
namespace {

namespace fs = std::filesystem;

// toml11 reads what is nested (arrays, tables and the parts of a key) by calls that are nested, and
// takes the square of a line's length. No pyproject.toml comes near these. Of a string that is not
// UTF-8, which TOML forbids, 3.7 tells by an iterator of another text.
constexpr std::size_t largest_pyproject = 256u << 10, longest_toml_line = 8u << 10;
constexpr std::ptrdiff_t most_brackets = 300, most_dots_of_line = 300;
constexpr std::ptrdiff_t most_dots_by_brackets = 100'000;

bool is_tame(const std::string& text) {
    const auto brackets = std::ranges::count_if(text, [](char c) { return c == '[' || c == '{'; });
    const auto dots = std::ranges::count(text, '.');
    return text.size() <= largest_pyproject && brackets <= most_brackets &&
           dots * brackets <= most_dots_by_brackets && utf8::is_valid(text) &&
           std::ranges::all_of(split(text, '\n'), [](const std::string& line) {
               return line.size() <= longest_toml_line &&
                      std::ranges::count(line, '.') <= most_dots_of_line;
           });
}

// A requirement by PEP 508, and no option or line of pip's besides.
bool is_plain_requirement(std::string_view text) {
    return !text.empty() && is_alphanumeric(text.front()) &&
           std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

}  // namespace

std::vector<std::string> project_dependencies(const fs::path& pack) {
    std::error_code absent;
    const fs::path file = pack / "pyproject.toml";
    if (fs::is_regular_file(pack / "requirements.txt", absent) ||
        !fs::is_regular_file(file, absent))
        return {};
    const std::string text = read_file(file);
    if (!is_tame(text)) return {};
    std::istringstream stream{text};
    std::vector<std::string> dependencies;
    try {
        const toml::value document = toml::parse(stream, file.string());
        if (!document.contains("project") || !document.at("project").contains("dependencies"))
            return {};
        dependencies = toml::find<std::vector<std::string>>(document, "project", "dependencies");
    } catch (const std::exception&) {
        // ComfyUI does not read the file, so that a pack with a broken one works all the same.
        return {};
    }
    std::erase_if(dependencies,
                  [](const std::string& text) { return !is_plain_requirement(text); });
    return dependencies;
}

}  // namespace podctl::comfy
