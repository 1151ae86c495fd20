#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/url.hpp"

#include "installer_command.hpp"
#include "installer_errors.hpp"
#include "resolvers.hpp"
#include "stubs.hpp"

#include <fmt/format.h>

#include <regex>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;

// Pins in the output file are preferred by uv.
std::string preferences(const ResolutionInput& input, const Stubs& stubs) {
    std::string text;
    for (const Package& package : input.inherited) {
        if (!is_version(package.version)) continue;
        const auto stub = stubs.versions.find(package.name);
        text += fmt::format("{}=={}\n", package.name,
                            stub == stubs.versions.end() ? package.version : stub->second);
    }
    return text;
}

// Named in the file, not by the variable, the stubs are seen by this call alone: a build may start
// an installer itself.
std::string stub_option(const Stubs& stubs) {
    if (stubs.versions.empty()) return {};
    return "--find-links file://" + percent_encode(stubs.folder.string(), "/") + "\n";
}

// An argument replaces what uv's variable says, so the user's own files are named again.
void add_build_constraints(Command& command, const fs::path& file, const Settings& settings) {
    auto files = configured_build_constraints(settings);
    files.push_back(file.string());
    for (const std::string& each : files)
        command.argv.insert(command.argv.end(), {"--build-constraints", each});
}

// A marker that never holds drops a package everywhere; --excludes does the same in newer releases
// only.
std::string overrides(const ResolutionInput& input) {
    std::string text = file_of(input.overrides);
    for (const std::string& name : input.excluded)
        text += name + " ; python_version < \"3\"\n";
    return text;
}

// uv's output file: a pin, then its hashes and who asks for it, each on an indented line.
std::vector<Pin> read_output(const std::string& text, const ResolutionInput& input) {
    std::vector<Pin> pins;
    for (const std::string& whole : split(text, '\n')) {
        std::string_view line = trim(whole);
        if (line.ends_with('\\')) line = trim(line.substr(0, line.size() - 1));
        if (line.starts_with("--hash=")) {
            if (!pins.empty()) pins.back().hashes.emplace_back(line);
        } else if (line.starts_with('#')) {
            line = trim(line.substr(1));
            if (line.starts_with("via")) line = trim(line.substr(3));
            // Files are those that podctl writes; who asks in the user's is told by the input.
            if (!pins.empty() && !line.empty() && !line.starts_with('-'))
                pins.back().asked_by.emplace_back(line);
        } else if (!line.empty() && (!line.starts_with("--"))) {
            pins.push_back({.requirement = std::string{line}});
        }
    }
    for (Pin& pin : pins)
        add_askers(pin, input);
    return pins;
}

// What the requirements.txt in `folder` resolves to is written into its lock.txt.
Finished compile(const Resolution& resolution, const fs::path& folder,
                 const std::vector<std::string>& options, std::stop_token stop) {
    const auto& [input, base, installer, settings, scratch] = resolution;
    Command command = call_of(installer, settings);
    for (const std::string& word :
         {std::string{"pip"}, std::string{"compile"}, std::string{"--quiet"},
          std::string{"--no-header"}, std::string{"--generate-hashes"}, std::string{"--python"},
          base.path.string(), std::string{"--constraint"}, (scratch / "constraints.txt").string(),
          std::string{"--override"}, (scratch / "overrides.txt").string(),
          std::string{"--output-file"}, (folder / "lock.txt").string(),
          (folder / "requirements.txt").string()}) {
        command.argv.push_back(word);
    }
    command.argv.insert(command.argv.end(), options.begin(), options.end());
    add_build_constraints(command, scratch / "build-constraints.txt", settings);
    add_index_arguments(command, installer, settings);
    Settings quoting = settings;
    if (settings.on_line) {
        // Clang 14 captures no structured binding by itself.
        quoting.on_line = [&on_line = settings.on_line](const std::string& line) {
            on_line(with_real_versions(line));
        };
    }
    Finished finished = run_installer(command, quoting, stop);
    finished.words = with_real_versions(std::move(finished.words));
    return finished;
}

// uv says nothing of a line without a name when its build fails; each alone tells which it was.
Finished with_its_line(Finished finished, const Resolution& resolution, std::stop_token stop) {
    const bool is_nameless =
        tells_a_failed_build(finished.words) &&
        read_failed_build(finished.words, resolution.installer).package.empty();
    if (!is_nameless) return finished;
    const fs::path folder = resolution.scratch / "alone";
    create_folders(folder);
    for (const Requirement& line : resolution.input.requirements) {
        if (!line.name.empty()) continue;
        const ResolutionInput just{.requirements = {line}, .options = resolution.input.options};
        write_file_atomically(folder / "requirements.txt", requirements_file(just));
        const Finished alone = compile(resolution, folder, {"--no-deps"}, stop);
        if (alone.status.ok() || !tells_a_failed_build(alone.words)) continue;
        finished.words =
            fmt::format("error: Failed to build `{}`\n{}", line.for_installer, alone.words);
        break;
    }
    return finished;
}

}  // namespace

std::vector<Pin> resolve_with_uv(const Resolution& resolution, std::stop_token stop) {
    const auto& [input, base, installer, settings, scratch] = resolution;
    const Stubs stubs = input.inherited.empty() ? Stubs{} : write_stubs(resolution, stop);
    write_file_atomically(scratch / "requirements.txt",
                          requirements_file(input) + stub_option(stubs));
    write_file_atomically(scratch / "constraints.txt", file_of(input.constraints));
    write_file_atomically(scratch / "build-constraints.txt", build_constraints(stubs));
    write_file_atomically(scratch / "overrides.txt", overrides(input));
    write_file_atomically(scratch / "lock.txt", preferences(input, stubs));
    const Finished finished = compile(resolution, scratch, {}, stop);
    if (!finished.status.ok()) {
        if (const Requirement* away = index_away(finished, input))
            throw IndexAway{network_error_of(finished), away->for_installer};
        fail_resolution(with_its_line(finished, resolution, stop), input, installer, settings);
    }
    return read_output(with_real_versions(read_file(scratch / "lock.txt")), input);
}

std::optional<std::string> source_only(const Lock& lock, const Interpreter& base,
                                       const Installer& installer, const Settings& settings,
                                       const fs::path& scratch, std::stop_token stop) {
    if (installer.kind != InstallerKind::uv) return std::nullopt;
    const fs::path folder = fs::absolute(scratch) / "wheels";
    create_folders(folder);
    write_file_atomically(folder / "requirements.txt", lock.requirements());
    Command command = call_of(installer, settings);
    for (const std::string& word :
         {std::string{"pip"}, std::string{"compile"}, std::string{"--quiet"},
          std::string{"--no-deps"}, std::string{"--no-build"}, std::string{"--python"},
          base.path.string(), std::string{"--output-file"}, (folder / "lock.txt").string(),
          (folder / "requirements.txt").string()}) {
        command.argv.push_back(word);
    }
    add_index_arguments(command, installer, settings);
    const Finished finished = run_installer(command, settings, stop);
    if (finished.status.ok()) return std::nullopt;
    static const std::regex wheelless{
        R"(([A-Za-z0-9][A-Za-z0-9._-]*==\S+)[^\n]*no (usable )?wheels)"};
    std::smatch match;
    const std::string words = tail_of(finished.words);
    if (!std::regex_search(words, match, wheelless)) return std::nullopt;
    return match[1].str();
}

}  // namespace podctl::python
