#pragma once

#include "podctl/python/python.hpp"

#include "../context.hpp"

namespace podctl::run {

// A joint resolution, with all that it takes.
struct Attempt {
    const plan::EnvironmentSpec& spec;
    const python::ResolveRequest& request;
    const python::Interpreter& base;
    const python::Installer& installer;
    const python::Settings& settings;
};

// python::resolve. A conflict's hint names the lines of the template that would end it: an
// override, a service with an environment of its own, another version of a pack.
python::Lock resolve_or_tell_ways_out(const Attempt& attempt, const Task& task);

}  // namespace podctl::run
