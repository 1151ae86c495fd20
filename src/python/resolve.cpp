#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process.hpp"
#include "podctl/event/redact.hpp"

#include "conflict.hpp"
#include "installer_command.hpp"
#include "resolution_input.hpp"
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

std::vector<Pin> resolve_with(const Resolution& resolution, std::stop_token stop) {
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
    ResolutionInput input{.constraints = all.input.constraints, .overrides = all.input.overrides};
    for (const Requirement& line : all.input.requirements) {
        if (is_torch(line.name)) input.requirements.push_back(line);
    }
    if (input.requirements.empty()) {
        input.requirements = read_lines({"torch"}, "python.torch", Requirement::Kind::requirement);
    }
    Settings settings = all.settings;
    settings.index_url = all.settings.torch_index_url;
    settings.torch_index_url.clear();
    settings.extra_index_urls.clear();
    const fs::path scratch = all.scratch / "torch";
    create_folders(scratch);
    std::vector<std::string> pins;
    for (const Pin& pin : resolve_with({input, all.base, all.installer, settings, scratch}, stop)) {
        if (is_torch(parse_specifier(pin.requirement).name)) pins.push_back(pin.requirement);
    }
    return read_lines(pins, fmt::format("python.torch ({})", all.settings.torch_index_url),
                      Requirement::Kind::constraint);
}

constexpr std::string_view hash_mark = " --hash=", comment_mark = "  # ", asker_separator = ", ";

std::string join(const std::vector<std::string>& words, std::string_view separator) {
    return fmt::format("{}", fmt::join(words, separator));
}

std::string line_of(const Pin& pin) {
    return pin.hashes.empty() ? pin.requirement : pin.requirement + " " + join(pin.hashes, " ");
}

std::vector<std::string> split_at(std::string_view text, std::string_view separator) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const auto end = std::min(text.find(separator), text.size());
        parts.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + separator.size(), text.size()));
    }
    return parts;
}

Pin parse_pin(std::string_view line) {
    Pin pin;
    if (const auto comment = line.find(comment_mark); comment != std::string_view::npos) {
        pin.asked_by = split_at(line.substr(comment + comment_mark.size()), asker_separator);
        line = line.substr(0, comment);
    }
    if (const auto hashes = line.find(hash_mark); hashes != std::string_view::npos) {
        pin.hashes = split_at(line.substr(hashes + 1), " ");
        line = line.substr(0, hashes);
    }
    pin.requirement = line;
    return pin;
}

// Installers clone by the git program alone.
void require_git(const ResolutionInput& input) {
    for (const Requirement& line : input.requirements) {
        if (line.for_installer.find("git+") == std::string::npos || find_program("git")) continue;
        throw Error{ErrorKind::python,
                    fmt::format("{}: {}: there is no git program to clone it with", line.where(),
                                line.text),
                    "install it: add git to system_packages"};
    }
}

// The index of one pack that is away concerns what only that index has: the resolution goes on
// without it, and what is lacking then is told with it.
std::vector<Pin> resolve_without_what_is_away(ResolutionInput& input, const Interpreter& base,
                                              const Installer& installer, const Settings& settings,
                                              const fs::path& scratch,
                                              std::vector<std::string>& without,
                                              std::stop_token stop) {
    const auto told_too = [&](const std::string& message) {
        return message + "\n  " + join(without, "\n  ");
    };
    while (true) {
        try {
            return resolve_with({input, base, installer, settings, scratch}, stop);
        } catch (const IndexAway& index) {
            const auto same = [&](const Requirement& it) {
                return it.for_installer == index.option();
            };
            const auto option = std::ranges::find_if(input.options, same);
            if (option == input.options.end()) throw;
            const auto told =
                Redactor{}(fmt::format("{}: this index cannot be asked, and is left out: {}",
                                       option->where(), option->text));
            if (settings.on_notice) settings.on_notice(told);
            without.push_back(told);
            input.options.erase(option);
        } catch (const Conflict& conflict) {
            if (without.empty()) throw;
            throw Conflict{told_too(conflict.message()), conflict.hint(), conflict.askers()};
        } catch (const Error& error) {
            if (without.empty() || error.kind() != ErrorKind::python) throw;
            throw made(error.kind(), told_too(error.message()), error.hint());
        }
    }
}

bool wants_torch_index(const ResolutionInput& input, const Settings& settings) {
    return !settings.torch_index_url.empty() && !input.held.contains("torch") &&
           !input.excluded.contains("torch") && !settings.offline;
}

}  // namespace

Lock parse_lock(std::string_view text) {
    Lock lock;
    for (const std::string& line : split(text, '\n')) {
        if (trim(line).empty()) continue;
        if (line.starts_with("--")) {
            lock.options.push_back(line);
        } else {
            lock.pins.push_back(parse_pin(line));
        }
    }
    return lock;
}

std::string Lock::requirements() const {
    std::string text;
    for (const std::string& option : options)
        text += option + "\n";
    for (const Pin& pin : pins)
        text += line_of(pin) + "\n";
    return text;
}

std::string Lock::text() const {
    std::string text;
    for (const std::string& option : options)
        text += option + "\n";
    for (const Pin& pin : pins) {
        text += line_of(pin);
        if (!pin.asked_by.empty())
            text += std::string{comment_mark} + join(pin.asked_by, asker_separator);
        text += "\n";
    }
    return text;
}

Lock resolve(const ResolveRequest& request, const Interpreter& base, const Installer& installer,
             const Settings& settings, std::stop_token stop) {
    // The installer runs in another folder.
    const fs::path scratch = fs::absolute(request.scratch);
    create_folders(scratch);
    ResolutionInput input =
        read_resolution_input(request, base, configured_constraints(installer, settings));
    if (settings.on_line) {
        for (const std::string& ignored : input.ignored)
            settings.on_line(ignored);
    }
    if (input.requirements.empty()) return {};
    apply_mirrors(settings.mirrors, input);
    require_git(input);
    if (installer.kind == InstallerKind::pip && !settings.torch_backend.empty() &&
        settings.torch_index_url.empty() && !input.held.contains("torch")) {
        throw Error{ErrorKind::internal, "pip was given a torch backend without its index"};
    }
    if (wants_torch_index(input, settings)) {
        const auto pins = torch_pins({input, base, installer, settings, scratch}, stop);
        input.constraints.insert(input.constraints.end(), pins.begin(), pins.end());
    }
    std::vector<std::string> without;
    const auto resolved =
        resolve_without_what_is_away(input, base, installer, settings, scratch, without, stop);
    return {.pins = to_install(resolved, input),
            .options = option_texts(input),
            .without = std::move(without)};
}

}  // namespace podctl::python
