#include "stubs.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "installer_command.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <string_view>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;

// By PEP 440 whoever asks for a version takes it with any local label behind it.
constexpr std::string_view stub_label = "+podctl.inherited";

constexpr const char* stub_script = R"py(
import json, os, re, sys, zipfile
folders, wanted, out = json.loads(sys.argv[1])
done = set()
for folder in folders:
    for entry in os.scandir(folder):
        m = re.fullmatch(r'([A-Za-z0-9][A-Za-z0-9._]*)-(\d[^-]*)\.dist-info', entry.name)
        name = m and re.sub(r'[-_.]+', '-', m[1]).lower()
        if not m or name in done or wanted.get(name, ('', ''))[0] != m[2]:
            continue
        try:
            with open(os.path.join(entry.path, 'METADATA'), 'rb') as f:
                metadata = f.read()
        except OSError:
            continue
        version = wanted[name][1]
        header = b'Version: ' + version.encode()
        metadata, found = re.subn(rb'(?mi)^Version[ \t]*:[^\r\n]*', header, metadata, count=1)
        if not found:
            continue
        done.add(name)
        info = '%s-%s.dist-info/' % (m[1], version)
        with zipfile.ZipFile(os.path.join(out, '%s-%s-py3-none-any.whl' % (m[1], version)), 'w') as z:
            z.writestr(info + 'METADATA', metadata)
            z.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
            z.writestr(info + 'RECORD', '')
)py";

// A version has one local label at most, and "==2.9.0+cu128" would not find it with more to it.
std::string stub_version(const std::string& version) {
    return version.find('+') == std::string::npos ? version + std::string{stub_label} : version;
}

}  // namespace

Stubs write_stubs(const Resolution& resolution, std::stop_token stop) {
    Stubs stubs{.folder = resolution.scratch / "inherited", .versions = {}};
    remove_tree(stubs.folder);
    create_folders(stubs.folder);
    nlohmann::json wanted = nlohmann::json::object();
    for (const Package& package : resolution.input.inherited) {
        if (is_version(package.version))
            wanted[package.name] = {package.version, stub_version(package.version)};
    }
    const nlohmann::json script_input = {resolution.base.site_packages, wanted,
                                         stubs.folder.string()};
    const Finished finished = run_installer(
        {.argv = {resolution.base.path.string(), "-I", "-c", stub_script,
                  script_input.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)}},
        resolution.settings, stop);
    if (!finished.status.ok()) {
        throw Error{ErrorKind::python,
                    fmt::format("the packages of {} cannot be read: {}",
                                resolution.base.path.string(), tail_of(finished.words))};
    }
    for (const auto& entry : fs::directory_iterator{stubs.folder}) {
        const std::string file = entry.path().filename();
        const std::string name = normalise_name(file.substr(0, file.find('-')));
        if (wanted.contains(name)) stubs.versions[name] = wanted[name][1];
    }
    return stubs;
}

std::string build_constraints(const Stubs& stubs) {
    std::string text;
    for (const auto& [name, version] : stubs.versions)
        text += fmt::format("{}!={}\n", name, version);
    return text;
}

std::string with_real_versions(std::string text) {
    for (auto at = text.find(stub_label); at != std::string::npos; at = text.find(stub_label, at))
        text.erase(at, stub_label.size());
    return text;
}

}  // namespace podctl::python
