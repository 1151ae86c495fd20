#pragma once

#include "podctl/base/error.hpp"
#include "podctl/python/python.hpp"

#include "resolution_input.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace podctl::python {

// A build that an installer gave up at, as its words tell it.
struct FailedBuild {
    // "docopt==0.6.2", "pack @ git+https://…", an address; empty: they do not say.
    std::string package;
    std::string trail;  // the line that says how it came into the resolution; may be empty
    std::string words;  // to the end of what the build said
};

// False: no build failed, or only what has to come before it (a clone, a download).
bool tells_a_failed_build(std::string_view words);

// pip takes a clone that fails for a build that fails, and tells of every clone.
bool tells_of_failed_git(std::string_view words);

FailedBuild read_failed_build(std::string_view words, const Installer& installer);

// Those who ask for the package, a line each. Empty: nobody is known.
using WhoAsks = std::function<std::vector<std::string>(const FailedBuild&)>;
WhoAsks by_input(const ResolutionInput& input);
WhoAsks by_lock(const Lock& lock);

// Names the package, who asks for it, and the last lines of its build.
Error build_error(const FailedBuild& failed, const WhoAsks& who_asks);

}  // namespace podctl::python
