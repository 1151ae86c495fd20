#include "podctl/fetch/civitdl.hpp"

#include "podctl/base/names.hpp"

#include <fmt/core.h>

namespace podctl::fetch {
namespace {

std::string replaced(std::string_view name) {
    std::string out;
    for (const char c : name) {
        switch (c) {
            case '<':
                out += '(';
                break;
            case '>':
                out += ')';
                break;
            case ':':
                out += ',';
                break;
            case '"':
                out += '-';
                break;
            case '?':
                out += '.';
                break;
            case '/':
            case '\\':
            case '|':
            case '*':
                out += '&';
                break;
            default:
                out += c;
        }
    }
    return out;
}

void drop_last_character(std::string& text) {
    const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
    while (!text.empty() && continues(text.back()))
        text.pop_back();
    if (!text.empty()) text.pop_back();
}

}  // namespace

std::filesystem::path civitdl_path(const ResolvedFile& file) {
    const std::string name = replaced(file.name);
    const auto dot = name.rfind('.');
    const bool has_extension = dot != std::string::npos && dot > 0;
    const std::string stem = has_extension ? name.substr(0, dot) : name;
    const std::string extension = has_extension ? name.substr(dot) : std::string{};
    std::string folder = safe_file_name(replaced(file.model_name));
    if (folder.empty()) folder = fmt::format("mid_{}", file.model_id);
    const auto base = fmt::format("-mid_{}-vid_{}{}", file.model_id, file.version_id, extension);
    // The ids survive the limit of 255 bytes; the stem gives way.
    const std::size_t room = base.size() < 255 ? 255 - base.size() : 0;
    std::string safe_stem = safe_file_name(stem);
    while (safe_stem.size() > room)
        drop_last_character(safe_stem);
    return std::filesystem::path(folder) / safe_file_name(safe_stem + base);
}

}  // namespace podctl::fetch
