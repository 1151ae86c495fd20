#pragma once

#include "resolution_input.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace podctl::python {

// Why an installer found no resolution. The wording changes with every release, and uv's older ones
// wrap lines: only names and places are taken from it.
struct Reasons {
    std::string text;  // the installer's own, whole; what it says of its files led back to ours
    // That it names and that somebody asks for, in its order.
    std::vector<std::string> packages;
    // Of these, what another package is said to depend on.
    std::vector<std::string> depended_on;
    bool has_chain = false;  // packages that depend on others have a part in it
};
Reasons read_reasons(std::string_view words, const ResolutionInput& input);

// Every line that may have a say, in the order of the sources.
std::vector<const Requirement*> all_lines(const ResolutionInput& input);

// The requirements in a file that the installer was given, a line each; nullptr: no such file. And
// the one in line `number` (from 1); nullptr: none.
const std::vector<Requirement>* lines_of_file(std::string_view file, const ResolutionInput& input);
const Requirement* line_of_file(std::string_view file, std::size_t number,
                                const ResolutionInput& input);

// The one that pip names by "-r …/requirements.txt (line 3)"; nullptr: none.
const Requirement* line_in(std::string_view text, const ResolutionInput& input);

}  // namespace podctl::python
