#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"

#include "call.hpp"
#include "demand.hpp"
#include "resolvers.hpp"
#include "specifier.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;

constexpr std::array torch_packages = {"torch", "torchvision", "torchaudio"};

bool is_torch(const std::string& name) {
    return std::find(torch_packages.begin(), torch_packages.end(), name) != torch_packages.end();
}

std::vector<std::string> resolve_with(const Resolution& resolution, std::stop_token stop) {
    switch (resolution.installer.kind) {
        case InstallerKind::uv:
            return resolve_with_uv(resolution, stop);
        case InstallerKind::pip:
            return resolve_with_pip(resolution, stop);
    }
    return {};
}

// Of several indexes the highest version wins, and the general one may have a torch that is newer
// than the wanted build. So the torch packages are settled on their own index first, with what is
// asked of them, and pinned for all others.
std::vector<Requirement> torch_pins(const Resolution& all, std::stop_token stop) {
    Demand demand{.constraints = all.demand.constraints, .overrides = all.demand.overrides};
    for (const Requirement& line : all.demand.requirements) {
        if (is_torch(line.name)) demand.requirements.push_back(line);
    }
    if (demand.requirements.empty()) {
        demand.requirements = read_lines({"torch"}, "python.torch", Requirement::Kind::requirement);
    }
    Settings settings = all.settings;
    settings.index_url = all.settings.torch_index_url;
    settings.torch_index_url.clear();
    settings.extra_index_urls.clear();
    const fs::path scratch = all.scratch / "torch";
    create_folders(scratch);
    std::vector<std::string> pins;
    for (const std::string& line :
         resolve_with({demand, all.base, all.installer, settings, scratch}, stop)) {
        if (is_torch(parse_specifier(line).name)) pins.push_back(line);
    }
    return read_lines(pins, fmt::format("python.torch ({})", all.settings.torch_index_url),
                      Requirement::Kind::constraint);
}

bool wants_torch_index(const Demand& demand, const Settings& settings) {
    return !settings.torch_index_url.empty() && !demand.held.contains("torch") &&
           !demand.excluded.contains("torch") && !settings.offline;
}

}  // namespace

std::string Lock::text() const {
    std::string text;
    for (const std::string& option : options)
        text += option + "\n";
    for (const std::string& pin : pins)
        text += pin + "\n";
    return text;
}

Lock parse_lock(std::string_view text) {
    Lock lock;
    for (const std::string& line : split(text, '\n')) {
        if (trim(line).empty()) continue;
        (line.starts_with("--") ? lock.options : lock.pins).push_back(line);
    }
    return lock;
}

Lock resolve(const ResolveRequest& request, const Interpreter& base, const Installer& installer,
             const Settings& settings, std::stop_token stop) {
    // The installer runs in another folder.
    const fs::path scratch = fs::absolute(request.scratch);
    create_folders(scratch);
    Demand demand = read_demand(request, base, configured_constraints(installer, settings));
    if (settings.on_line) {
        for (const std::string& ignored : demand.ignored)
            settings.on_line(ignored);
    }
    if (demand.requirements.empty()) return {};
    if (installer.kind == InstallerKind::pip && !settings.torch_backend.empty() &&
        settings.torch_index_url.empty() && !demand.held.contains("torch")) {
        throw Error{ErrorKind::internal, "pip was given a torch backend without its index"};
    }
    if (wants_torch_index(demand, settings)) {
        const auto pins = torch_pins({demand, base, installer, settings, scratch}, stop);
        demand.constraints.insert(demand.constraints.end(), pins.begin(), pins.end());
    }
    const auto resolved = resolve_with({demand, base, installer, settings, scratch}, stop);
    return {.pins = to_install(resolved, demand), .options = demand.options};
}

}  // namespace podctl::python
