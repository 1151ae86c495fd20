#pragma once

#include "podctl/base/error.hpp"
#include "podctl/python/python.hpp"

#include "build_failure.hpp"
#include "installer_command.hpp"
#include "resolution_input.hpp"

namespace podctl::python {

// Throws what a failed resolution means, led back to the files and lines that ask.
[[noreturn]] void fail_resolution(const Finished& finished, const ResolutionInput& input,
                                  const Installer& installer, const Settings& settings);

// The index option of a file that a failed call could not ask; nullptr: none is to blame.
const Requirement* index_away(const Finished& finished, const ResolutionInput& input);
Error network_error_of(const Finished& finished);

// What a failed install means; a build that fails is led back to `who_asks`.
Error install_error(const Finished& finished, const Installer& installer, const Settings& settings,
                    const WhoAsks& who_asks = {});

}  // namespace podctl::python
