#pragma once

#include "podctl/python/python.hpp"

#include "../context.hpp"

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

// A pack may be optional: where its packages cannot be had together with the others', the others
// are resolved without them.
namespace podctl::run {

struct Resolved {
    python::Lock lock;
    std::set<std::string> left_out = {};  // packs, by name
    // Whether that is settled by the requirements: not where something could not be asked or read.
    bool is_final = true;
};

// Resolves what EnvironmentSpec::left_out leaves. An error is told with the ways out of it where
// `hints` says so, which may take further resolutions.
enum class Hints { no, yes };
using Resolve = std::function<python::Lock(const plan::EnvironmentSpec& spec, Hints hints)>;

// Throws where not all of the lock's packages can be brought and built.
using Build = std::function<void(const python::Lock& lock)>;

// With as many of the optional packs as it takes, in the order of their names: each that is left
// out is told with its reason. What they alone ask for is built, since a package that comes as
// source resolves and may fail in the middle of the installation. Throws what `resolve` throws
// without any of them.
Resolved resolve_with_optional_packs(const plan::EnvironmentSpec& spec, const Resolve& resolve,
                                     const Build& build, const Task& task);

// As the first line of a resolution that is kept; "" where nothing was left out. And taken off it.
std::string left_out_line(const std::set<std::string>& packs);
std::set<std::string> take_left_out(std::string_view& text);

// What is told at each run, as long as it is so. Empty: nothing was left out.
std::string left_out_notice(const std::set<std::string>& packs);

}  // namespace podctl::run
