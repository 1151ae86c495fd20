#include "code_note.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/process_stat.hpp"
#include "podctl/base/trust.hpp"

#include <string_view>

namespace podctl::comfy {
namespace {

namespace fs = std::filesystem;

constexpr const char* note_name = ".podctl";
constexpr std::string_view whole_word = "whole", begun_word = "begun";

}  // namespace

// Lines: the boot, how far it is, and the names.
CodeNote read_code_note(const fs::path& copy) {
    const auto text = read_state_file(copy / note_name).text.value_or("");
    const auto lines = split(text, '\n');
    CodeNote note;
    note.boot = boot_id();
    if (lines.size() < 2 || lines[0] != note.boot) return note;
    note.whole = lines[1] == whole_word;
    for (std::size_t i = 2; i < lines.size(); ++i)
        if (!lines[i].empty()) note.names.emplace(lines[i]);
    return note;
}

void write_code_note(const fs::path& copy, const CodeNote& note) {
    auto text = note.boot + "\n";
    text += note.whole ? whole_word : begun_word;
    for (const auto& name : note.names)
        text += "\n" + name;
    write_state_file(copy / note_name, text);
}

bool can_be_noted(const std::string& name) {
    return name != note_name && name.find('\n') == name.npos;
}

}  // namespace podctl::comfy
