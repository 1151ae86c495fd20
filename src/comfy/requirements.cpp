#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/comfy/comfy.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>

namespace podctl::comfy {
namespace {

namespace fs = std::filesystem;

// Folders of a pack whose requirements are for its developers, not for ComfyUI.
bool is_for_developers(std::string_view folder) {
    constexpr std::array<std::string_view, 10> names = {"ci",         "dev",      "doc",  "docs",
                                                        "example",    "examples", "test", "tests",
                                                        "tests-unit", "notebook"};
    return folder.starts_with('.') || folder.ends_with(".disabled") ||
           std::ranges::find(names, folder) != names.end();
}

// A line of Python at the top level, or of a requirements file, that begins with these words.
bool has_line(const fs::path& file, std::string_view words) {
    const auto text = read_file_if_exists(file).value_or("");
    return std::ranges::any_of(split(text, '\n'), [&](const std::string& line) {
        constexpr std::string_view ends = " \t\r#<>=!~[;,";
        return line.starts_with(words) &&
               (line.size() == words.size() || ends.find(line[words.size()]) != ends.npos);
    });
}

}  // namespace

std::vector<fs::path> requirement_files(const fs::path& pack) {
    std::error_code error;
    std::vector<fs::path> nested;
    for (fs::directory_iterator entry{pack, error}, end; !error && entry != end;
         entry.increment(error)) {
        if (is_for_developers(entry->path().filename().string())) continue;
        auto file = entry->path() / "requirements.txt";
        std::error_code absent;
        if (fs::is_regular_file(file, absent)) nested.push_back(std::move(file));
    }
    if (error && error != std::errc::no_such_file_or_directory &&
        error != std::errc::not_a_directory)
        throw system_error(pack.string(), error.value());
    std::ranges::sort(nested);
    std::error_code absent;
    auto own = pack / "requirements.txt";
    if (fs::is_regular_file(own, absent)) nested.insert(nested.begin(), std::move(own));
    return nested;
}

std::vector<std::string> unlisted_requirements(const fs::path& comfyui) {
    const bool is_used = has_line(comfyui / "app/frontend_management.py", "import requests");
    const bool is_listed = has_line(comfyui / "requirements.txt", "requests");
    if (is_used && !is_listed) return {"requests"};
    return {};
}

}  // namespace podctl::comfy
