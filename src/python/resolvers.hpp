#pragma once

#include "podctl/base/error.hpp"
#include "podctl/python/python.hpp"

#include "resolution_input.hpp"

#include <filesystem>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace podctl::python {

// One call of an installer's resolver.
struct Resolution {
    const ResolutionInput& input;
    const Interpreter& base;
    const Installer& installer;
    const Settings& settings;
    const std::filesystem::path& scratch;
};

// An index that a requirements file adds and that cannot be asked.
class IndexAway : public Error {
public:
    IndexAway(Error why, std::string option) : Error(std::move(why)), option_(std::move(option)) {}
    const std::string& option() const { return option_; }  // Requirement::for_installer

private:
    std::string option_;
};

// Both give pins, what is inherited among them or not, and throw what resolve()
// throws. uv's throws IndexAway, too; pip goes on without such an index by itself.
std::vector<Pin> resolve_with_uv(const Resolution& resolution, std::stop_token stop);
std::vector<Pin> resolve_with_pip(const Resolution& resolution, std::stop_token stop);

}  // namespace podctl::python
