#pragma once

#include "podctl/python/python.hpp"

#include "demand.hpp"

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace podctl::python {

// One call of an installer's resolver.
struct Resolution {
    const Demand& demand;
    const Interpreter& base;
    const Installer& installer;
    const Settings& settings;
    const std::filesystem::path& scratch;
};

// Both give pins, what is inherited among them or not, and throw what resolve()
// throws.
std::vector<Pin> resolve_with_uv(const Resolution& resolution, std::stop_token stop);
std::vector<Pin> resolve_with_pip(const Resolution& resolution, std::stop_token stop);

}  // namespace podctl::python
