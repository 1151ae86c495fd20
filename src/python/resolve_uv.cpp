#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"

#include "call.hpp"
#include "complaint.hpp"
#include "resolvers.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <regex>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;

// uv never looks at what is installed elsewhere, and an image's torch (2.9.0+cu128, or a vendor's
// own build) is on no index that uv asks. So what is inherited is shown to it as wheels that hold
// nothing but the metadata; they take part in the resolution only, and offline too.
constexpr const char* stub_script = R"py(
import json, os, re, sys, zipfile
folders, wanted, out = json.loads(sys.argv[1])
done = set()
for folder in folders:
    for entry in os.scandir(folder):
        m = re.fullmatch(r'([A-Za-z0-9][A-Za-z0-9._]*)-(\d[^-]*)\.dist-info', entry.name)
        name = m and re.sub(r'[-_.]+', '-', m[1]).lower()
        if not m or name in done or wanted.get(name) != m[2]:
            continue
        try:
            with open(os.path.join(entry.path, 'METADATA'), 'rb') as f:
                metadata = f.read()
        except OSError:
            continue
        done.add(name)
        info = '%s-%s.dist-info/' % (m[1], m[2])
        with zipfile.ZipFile(os.path.join(out, '%s-%s-py3-none-any.whl' % (m[1], m[2])), 'w') as z:
            z.writestr(info + 'METADATA', metadata)
            z.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
            z.writestr(info + 'RECORD', '')
)py";

void write_stubs(const Resolution& resolution, const fs::path& folder, std::stop_token stop) {
    remove_tree(folder);
    create_folders(folder);
    nlohmann::json wanted = nlohmann::json::object();
    for (const Package& package : resolution.demand.inherited) {
        if (is_version(package.version)) wanted[package.name] = package.version;
    }
    const nlohmann::json input = {resolution.base.site_packages, wanted, folder.string()};
    const Finished finished = run_installer(
        {.argv = {resolution.base.path.string(), "-I", "-c", stub_script,
                  input.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)}},
        resolution.settings, stop);
    if (!finished.status.ok()) {
        throw Error{ErrorKind::python,
                    fmt::format("the packages of {} cannot be read: {}",
                                resolution.base.path.string(), tail_of(finished.words))};
    }
}

// Pins in the output file are preferred by uv.
std::string preferences(const Demand& demand) {
    std::string text;
    for (const Package& package : demand.inherited) {
        if (is_version(package.version)) text += package.name + "==" + package.version + "\n";
    }
    return text;
}

// A marker that never holds drops a package everywhere; --excludes does the same in newer releases
// only.
std::string overrides(const Demand& demand) {
    std::string text = file_of(demand.overrides);
    for (const std::string& name : demand.excluded)
        text += name + " ; python_version < \"3\"\n";
    return text;
}

// uv's output file: a pin, then its hashes and who asks for it, each on an indented line.
std::vector<Pin> read_output(const std::string& text, const Demand& demand) {
    std::vector<Pin> pins;
    for (const std::string& whole : split(text, '\n')) {
        std::string_view line = trim(whole);
        if (line.ends_with('\\')) line = trim(line.substr(0, line.size() - 1));
        if (line.starts_with("--hash=")) {
            if (!pins.empty()) pins.back().hashes.emplace_back(line);
        } else if (line.starts_with('#')) {
            line = trim(line.substr(1));
            if (line.starts_with("via")) line = trim(line.substr(3));
            // Files are those that podctl writes; who asks in the user's is told by the demand.
            if (!pins.empty() && !line.empty() && !line.starts_with('-'))
                pins.back().asked_by.emplace_back(line);
        } else if (!line.empty() && (!line.starts_with("--"))) {
            pins.push_back({.requirement = std::string{line}});
        }
    }
    for (Pin& pin : pins)
        add_askers(pin, demand);
    return pins;
}

}  // namespace

std::vector<Pin> resolve_with_uv(const Resolution& resolution, std::stop_token stop) {
    const auto& [demand, base, installer, settings, scratch] = resolution;
    Settings with_stubs = settings;
    if (!demand.inherited.empty()) {
        const fs::path stubs = scratch / "inherited";
        write_stubs(resolution, stubs, stop);
        with_stubs.find_links.push_back(stubs.string());
    }
    write_file_atomically(scratch / "requirements.txt", requirements_file(demand));
    write_file_atomically(scratch / "constraints.txt", file_of(demand.constraints));
    write_file_atomically(scratch / "overrides.txt", overrides(demand));
    write_file_atomically(scratch / "lock.txt", preferences(demand));

    Command command = call_of(installer, with_stubs);
    for (const std::string& word :
         {std::string{"pip"}, std::string{"compile"}, std::string{"--quiet"},
          std::string{"--no-header"}, std::string{"--generate-hashes"}, std::string{"--python"},
          base.path.string(), std::string{"--constraint"}, (scratch / "constraints.txt").string(),
          std::string{"--override"}, (scratch / "overrides.txt").string(),
          std::string{"--output-file"}, (scratch / "lock.txt").string(),
          (scratch / "requirements.txt").string()}) {
        command.argv.push_back(word);
    }
    add_index_arguments(command, installer, settings);
    const Finished finished = run_installer(command, settings, stop);
    if (!finished.status.ok()) fail_resolution(finished, demand, installer, settings);

    return read_output(read_file(scratch / "lock.txt"), demand);
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
