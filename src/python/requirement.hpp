#pragma once

#include "podctl/python/python.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace podctl::python {

// A line of a requirements file, read as pip reads it.
struct Requirement {
    enum class Kind { requirement, constraint, option, ignored_option };

    Kind kind = Kind::requirement;
    std::filesystem::path file = {};  // empty: a line of the template
    int line = 0;
    std::string label = {};                // who asks
    std::string name = {};                 // normalised; empty for a bare URL or path
    std::string text = {};                 // as it stands there, for people
    std::string for_installer = {};        // the same with local paths made absolute
    std::vector<std::string> hashes = {};  // "--hash=sha256:…"
    std::string fault = {};  // why no installer may see it; told unless the line is passed over

    // "file:line", or the label for a line that stands in no file.
    std::string where() const;
    // The URL or path that the installer is to take it from; empty: an index has it.
    std::string target() const;
    // The name, or for a line that gives none a guess: git+https://host/Segment_Anything.git@main
    // is segment-anything.
    std::string probable_name() const;
};

// Everything that a source asks for, -r and -c followed; `kind` is what a plain line means. Throws
// Error{python} with file and line for what cannot be read.
std::vector<Requirement> read_source(const RequirementSource& source,
                                     Requirement::Kind kind = Requirement::Kind::requirement);

// Lines that stand in no file; `kind` is what a plain line means.
std::vector<Requirement> read_lines(const std::vector<std::string>& lines, const std::string& label,
                                    Requirement::Kind kind);

// The environment marker of a requirement, "" for none.
std::string_view marker_of(std::string_view requirement);

}  // namespace podctl::python
