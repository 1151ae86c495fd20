#pragma once

#include "podctl/python/python.hpp"

#include "requirement.hpp"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace podctl::python {

// A ResolveRequest, read.
struct ResolutionInput {
    std::vector<Requirement> requirements = {};
    // Those by -c, the template's, pip's own, and what is held.
    std::vector<Requirement> constraints = {};
    std::vector<Requirement> overrides = {};
    std::vector<Requirement> options = {};  // index options of the files, each once
    std::vector<std::string> ignored = {};  // options that are left out, with their place
    std::vector<Package> inherited = {};
    std::set<std::string> held = {};
    std::set<std::string> excluded = {};
};

// Throws Error{python} for a line that cannot be read, or that names a wheel for another machine.
ResolutionInput read_resolution_input(const ResolveRequest& request, const Interpreter& base,
                                      const std::vector<std::string>& constraint_files);

// Has the addresses that requirements name replaced by their mirrors'.
void apply_mirrors(const Mirrors& mirrors, ResolutionInput& input);

// What the options say, as an installer takes them.
std::vector<std::string> option_texts(const ResolutionInput& input);

// A requirements file for the installer, a line each, so that its words about a line can be led
// back.
std::string file_of(const std::vector<Requirement>& lines);

// What is asked for, with the index options behind: the number of a line leads to who asks.
std::string requirements_file(const ResolutionInput& input);

// What PEP 440 takes as a version: an installed package may have called itself anything.
bool is_version(const std::string& text);

// The version of `name==version`; empty: the text pins none.
std::string_view pinned_version(std::string_view text);

// True when two version texts are the same version (leading zeros and case aside).
bool same_version(std::string_view a, std::string_view b);

// Puts the places of those who ask for a pin in the input before the packages that do.
void add_askers(Pin& pin, const ResolutionInput& input);

// What is to be installed of a resolution: not what is held, excluded, or inherited at that
// version. Hashes that a file gave for exactly that version count, not the index's.
std::vector<Pin> to_install(const std::vector<Pin>& resolved, const ResolutionInput& input);

}  // namespace podctl::python
