#pragma once

#include "podctl/base/error.hpp"
#include "podctl/python/python.hpp"

#include "installer_command.hpp"
#include "resolution_input.hpp"

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace podctl::python {

// Only names and places are taken from the installer's words: their form changes with every
// release.
bool says(const Finished& finished, std::initializer_list<std::string_view> phrases);

// An Error without the passwords that an index address or a requirement's URL may hold.
Error made(ErrorKind kind, const std::string& message, const std::string& hint);

// "file:line: text (who asks)"
std::string describe(const Requirement& line);

// Who asks for a package, on this machine.
std::vector<const Requirement*> askers_of(const std::string& name, const ResolutionInput& input);

// Throws Conflict: no choice of versions is what everybody asks for. A single line that the index
// has nothing for is unknown_package().
[[noreturn]] void fail_as_conflict(const Finished& finished, const ResolutionInput& input,
                                   const Installer& installer);

// The index does not have what is asked for.
Error unknown_package(const Finished& finished, const ResolutionInput& input);

}  // namespace podctl::python
