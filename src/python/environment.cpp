#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process.hpp"
#include "podctl/python/python.hpp"

#include "environment_mark.hpp"
#include "installer_command.hpp"
#include "wheel_record.hpp"

#include <fmt/format.h>

#include <cctype>
#include <cstdlib>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;

enum class Standing { absent, finished, unfinished, foreign };

Standing standing(const fs::path& path) {
    std::error_code failed;
    if (fs::symlink_status(path, failed).type() == fs::file_type::not_found)
        return Standing::absent;
    if (is_ours(path))
        return finished_fingerprint(path) ? Standing::finished : Standing::unfinished;
    return fs::is_directory(path, failed) && fs::is_empty(path, failed) ? Standing::absent
                                                                        : Standing::foreign;
}

// A path as a Python bytes literal: a .pth file is read in the locale's encoding, so it stays
// ASCII.
std::string bytes_literal(const std::string& path) {
    std::string out = "b'";
    for (const char c : path) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = byte >= 0x20 && byte < 0x7F && c != '\'' && c != '\\';
        out += plain ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
    }
    return out + "'";
}

void inherit(const fs::path& environment, const Interpreter& base) {
    const auto numbers = split(base.version, '.');
    const fs::path folder = environment / "lib" /
                            fmt::format("python{}.{}", numbers.at(0), numbers.at(1)) /
                            "site-packages";
    // With the folders that the reader of this file knows, as a plain path would be: pip reads it
    // once more, knowing none, to see what a build must not find. `site` runs the line where they
    // are a variable, which is no promise.
    std::string text;
    for (const std::string& site : base.site_packages) {
        text += fmt::format(
            "import os, site; "
            "site.addsitedir(os.fsdecode({}), locals().get('known_paths'))\n",
            bytes_literal(site));
    }
    write_file_atomically(folder / "_inherit.pth", text);
}

// What a shell shows of it when it is activated. A generation's own name is a number
// (generations.hpp), which tells a person nothing, and would make each differ from the one before.
std::string prompt_of(const fs::path& environment) {
    const std::string above = environment.parent_path().filename();
    const std::string_view end = ".podctl";
    if (!above.starts_with('.') || !above.ends_with(end) || above.size() <= end.size() + 1)
        return environment.filename();
    return above.substr(1, above.size() - 1 - end.size());
}

Command venv_command(const fs::path& path, const Interpreter& base, const Installer& installer,
                     const Settings& settings) {
    const std::string prompt = "--prompt=" + prompt_of(path);
    if (installer.kind == InstallerKind::uv) {
        Command command = call_of(installer, settings, path);
        for (const std::string& word :
             {std::string{"venv"}, std::string{"--quiet"}, std::string{"--allow-existing"},
              std::string{"--python"}, base.path.string(), prompt, path.string()}) {
            command.argv.push_back(word);
        }
        return command;
    }
    if (!base.has_venv) {
        throw Error{ErrorKind::python, fmt::format("{} has no venv module", base.path.string()),
                    "install it (apt-get install python3-venv), or use uv (python.installer: uv)"};
    }
    return {
        .argv = {base.path.string(), "-I", "-m", "venv", "--without-pip", prompt, path.string()},
        .environment = settings.environment};
}

}  // namespace

fs::path environment_python(const fs::path& environment) {
    return environment / "bin" / "python";
}

bool is_ours(const fs::path& environment) {
    return read_mark(environment).has_value();
}

std::optional<std::string> finished_fingerprint(const fs::path& environment) {
    const auto mark = read_mark(environment);
    if (!mark || !file_stamp(environment_python(environment))) return std::nullopt;
    return mark->fingerprint;
}

void mark_finished(const fs::path& environment, const std::string& fingerprint) {
    const auto mark = read_mark(environment);
    if (!mark) {
        throw Error{
            ErrorKind::internal,
            fmt::format("{} is marked finished, but podctl did not make it", environment.string())};
    }
    write_mark(environment, {.fingerprint = fingerprint, .before = mark->before});
}

void mark_unfinished(const fs::path& environment) {
    if (const auto mark = read_mark(environment)) write_mark(environment, {.before = mark->before});
}

fs::path create_environment(const EnvironmentRequest& request, const Interpreter& base,
                            const Installer& installer, const Settings& settings,
                            std::stop_token stop) {
    const fs::path path = fs::absolute(request.path);  // the installer runs in another folder
    const fs::path python = environment_python(path);
    remove_abandoned_mark(path);
    switch (standing(path)) {
        case Standing::finished:
            return python;
        case Standing::foreign:
            throw Error{
                ErrorKind::conflict,
                fmt::format("{} is there already and podctl did not make it", path.string()),
                "move it away, or set python.path to another folder"};
        case Standing::unfinished:
            mark_unfinished(path);  // its interpreter may be what is missing, and comes back now
            empty_environment(path);
            break;
        case Standing::absent:
            create_folders(path);
            break;
    }
    // Before anything else stands there, so that a kill leaves nothing that looks foreign.
    if (!is_ours(path)) write_mark(path, {});

    const Finished finished =
        run_installer(venv_command(path, base, installer, settings), settings, stop);
    if (!finished.status.ok() || !file_stamp(python)) {
        throw Error{
            ErrorKind::python,
            fmt::format("{} cannot be made an environment ({}): {}", path.string(),
                        finished.status.describe(), tail_of(finished.words)),
            "look at the words of the installer above; `podctl doctor` checks the interpreter"};
    }
    if (request.inherit) inherit(path, base);
    return python;
}

void put_first_in_path(const std::filesystem::path& python,
                       std::map<std::string, std::string>& environment) {
    const char* own = std::getenv("PATH");
    std::string& path = environment["PATH"];
    if (path.empty()) path = own ? own : "/usr/bin:/bin";
    path = python.parent_path().string() + ":" + path;
}

namespace {

// What was copied, as installers write it: a distribution's own RECORD names programs that stay
// where they are, and files that it has patched since. Without one nobody could upgrade it.
void write_record(const fs::path& site, const std::vector<fs::path>& parts) {
    std::string record;
    fs::path metadata;
    for (const fs::path& part : parts) {
        for (const auto& entry : fs::recursive_directory_iterator{site / part.filename()}) {
            const auto name = entry.path().lexically_relative(site).string();
            if (!entry.is_regular_file() || name.ends_with(".pyc") || name.ends_with("/RECORD"))
                continue;
            record += fmt::format("{},sha256={},{}\n", name, record_digest(entry.path()),
                                  entry.file_size());
        }
        if (part.filename() != "pip") metadata = part.filename();
    }
    record += (metadata / "RECORD").string() + ",,\n";
    write_file_atomically(site / metadata / "RECORD", record);
}

// pip's package and its metadata.
std::vector<fs::path> parts_of_pip(const fs::path& site_packages) {
    std::vector<fs::path> parts;
    std::error_code failed;
    for (fs::directory_iterator at{site_packages, failed}, end; !failed && at != end;
         at.increment(failed)) {
        const std::string name = at->path().filename();
        if (name == "pip" || (name.starts_with("pip-") && name.ends_with("-info")))
            parts.push_back(at->path());
    }
    return parts;
}

}  // namespace

void give_pip(const fs::path& environment, const Interpreter& base) {
    std::error_code failed;
    const fs::path site = environment / "lib" /
                          fmt::format("python{}", base.version.substr(0, base.version.rfind('.'))) /
                          "site-packages";
    if (fs::exists(site / "pip", failed)) return;
    for (const fs::path folder : base.site_packages) {
        if (!fs::exists(folder / "pip" / "__init__.py", failed)) continue;
        const auto parts = parts_of_pip(folder);
        for (const fs::path& part : parts) {
            const fs::path target = site / part.filename();
            fs::copy(part, target, fs::copy_options::recursive, failed);
            if (failed) throw system_error(target.string(), failed.value());
        }
        return write_record(site, parts);
    }
}

}  // namespace podctl::python
