#pragma once

#include <filesystem>
#include <set>
#include <string>

namespace podctl::comfy {

// What a copy of ComfyUI's code knows of itself: <copy>/.podctl. Who has the names can tell what
// podctl has put at the copy's top from what packs have made there.
struct CodeNote {
    std::string boot;             // of the machine, when the copy was made
    bool whole = false;           // a sync has ended well
    std::set<std::string> names;  // at the top, put there by podctl

    friend bool operator==(const CodeNote&, const CodeNote&) = default;
};

// A note with nothing in it where there is none, or one of another boot: then files may be torn.
CodeNote read_code_note(const std::filesystem::path& copy);
void write_code_note(const std::filesystem::path& copy, const CodeNote& note);

// Whether the note can tell such a name.
bool can_be_noted(const std::string& name);

}  // namespace podctl::comfy
