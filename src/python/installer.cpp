#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process.hpp"
#include "podctl/python/python.hpp"

#include "installer_command.hpp"
#include "installer_errors.hpp"

#include <fmt/format.h>

#include <regex>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;

constexpr const char* uv_hint = "install uv yourself, or set python.installer: pip";
constexpr const char* no_pip_hint =
    "install one (apt-get install python3-pip), or put uv into PATH";

void say(const Settings& settings, const std::string& line) {
    if (settings.on_line) settings.on_line(line);
}

// --torch-backend and --excludes came with these.
constexpr int oldest_uv_minor = 7;

// "uv 0.13.9 (…)".
bool is_new_enough(std::string_view words) {
    static const std::regex version{R"(^uv ([0-9]+)\.([0-9]+))"};
    std::cmatch match;
    if (!std::regex_search(words.data(), words.data() + words.size(), match, version)) return false;
    return std::stoi(match[1].str().substr(0, 6)) > 0 ||
           std::stoi(match[2].str().substr(0, 6)) >= oldest_uv_minor;
}

// A program named uv may be a version manager's stand-in that only says that there is none.
bool works(const fs::path& uv, std::stop_token stop) {
    if (!find_program(uv.string())) return false;
    const Captured captured = run_captured({.argv = {uv.string(), "--version"}}, stop,
                                           {.timeout = std::chrono::seconds{60}});
    return captured.status.ok() && is_new_enough(captured.output);
}

// What pip writes beside it says which version was brought.
bool is_release(const fs::path& folder, const UvRelease& release) {
    return file_stamp(folder / ("uv-" + release.version + ".dist-info") / "METADATA").has_value();
}

std::optional<fs::path> uv_that_is_there(const fs::path& tools, const Settings& settings,
                                         const UvRelease& release, std::stop_token stop) {
    const auto brought = find_program((tools / "uv" / "bin" / "uv").string());
    // Offline an older one is better than none.
    if (brought && (settings.offline || is_release(tools / "uv", release))) return brought;
    const auto installed = find_program("uv");
    if (!installed) return std::nullopt;
    if (settings.caution && !is_trusted_program(*installed, *settings.caution)) return std::nullopt;
    if (works(*installed, stop)) return installed;
    return std::nullopt;
}

// The interpreter's pip, or that of a venv made for it.
fs::path python_with_pip(const Interpreter& interpreter, const fs::path& tools,
                         const Settings& settings, std::stop_token stop) {
    if (interpreter.has_pip) return interpreter.path;
    const std::string missing = fmt::format("{} has no pip", interpreter.path.string());
    if (!interpreter.has_ensurepip || !interpreter.has_venv)
        throw Error{ErrorKind::python, missing, no_pip_hint};
    const fs::path folder = tools / "pip";
    const fs::path python = environment_python(folder);
    if (file_stamp(folder / "bin" / "pip")) return python;
    remove_tree(folder);
    create_folders(tools);
    const Finished made =
        run_installer({.argv = {interpreter.path.string(), "-I", "-m", "venv", folder.string()},
                       .environment = settings.environment},
                      settings, stop);
    if (!made.status.ok()) {
        throw Error{ErrorKind::python,
                    fmt::format("{}, and a venv with pip cannot be made: {}", missing,
                                tail_of(made.words, 3)),
                    no_pip_hint};
    }
    return python;
}

// Into a folder that is renamed when it is whole: a uv of which a half is there would be taken for
// good.
// --target works where PEP 668 forbids an install.
fs::path bring_uv(const Interpreter& interpreter, const fs::path& tools, const Settings& settings,
                  const UvRelease& release, std::stop_token stop) {
    const fs::path python = python_with_pip(interpreter, tools, settings, stop);
    const fs::path partial = tools / "uv.partial";
    remove_tree(partial);
    create_folders(tools);
    const fs::path wanted = tools / "uv.txt";
    std::string line = "uv==" + release.version;
    for (const std::string& digest : release.sha256)
        line += " --hash=sha256:" + digest;
    write_file_atomically(wanted, line + "\n");
    Command command = call_of({InstallerKind::pip, python, interpreter.pip_settings}, settings);
    for (const std::string& word :
         {std::string{"install"}, std::string{"--no-deps"}, std::string{"--only-binary=:all:"},
          std::string{"--require-hashes"}, std::string{"--target"}, fs::absolute(partial).string(),
          std::string{"--requirement"}, fs::absolute(wanted).string()}) {
        command.argv.push_back(word);
    }
    const Finished finished = run_installer(command, settings, stop);
    if (!finished.status.ok()) {
        const Error why = install_error(finished, {InstallerKind::pip, python}, settings);
        throw Error{why.kind(), "uv cannot be brought by pip: " + why.message(), uv_hint};
    }
    if (!works(partial / "bin" / "uv", stop)) {
        throw Error{ErrorKind::python, "the uv that pip brought does not work on this machine",
                    uv_hint};
    }
    remove_tree(tools / "uv");
    rename_durably(partial, tools / "uv");
    return tools / "uv" / "bin" / "uv";
}

void require_pip_version(const Interpreter& interpreter) {
    // --python and --report came with pip 22.
    const auto version = interpreter.version_of("pip");
    const auto numbers = split(version.value_or("22.3"), '.');
    const auto number = [&](std::size_t i) {
        return i < numbers.size() ? std::atoi(numbers[i].c_str()) : 0;
    };
    if (number(0) < 22 || (number(0) == 22 && number(1) < 3)) {
        throw Error{
            ErrorKind::python,
            fmt::format("{} has pip {}; 22.3 or newer is needed", interpreter.path.string(),
                        *version),
            "upgrade it (python -m pip install --upgrade pip), or set python.installer: uv"};
    }
}

Installer pip_of(const Interpreter& interpreter, const fs::path& tools, const Settings& settings,
                 std::stop_token stop) {
    Installer pip{InstallerKind::pip, python_with_pip(interpreter, tools, settings, stop),
                  interpreter.pip_settings};
    require_pip_version(interpreter);
    return pip;
}

Error uv_is_missing() {
    return Error{ErrorKind::python, "uv is not there, and offline it cannot be brought",
                 "run once without --offline, or set python.installer: pip"};
}

Error as_preflight(const Error& error) {
    return Error{ErrorKind::preflight, error.message(), error.hint()};
}

// Whether bring_uv() has a pip to bring it with.
void require_pip_or_ensurepip(const Interpreter& interpreter) {
    if (interpreter.has_pip || (interpreter.has_ensurepip && interpreter.has_venv)) return;
    throw Error{ErrorKind::preflight,
                fmt::format("{} has neither pip nor ensurepip, and there is no uv",
                            interpreter.path.string()),
                no_pip_hint};
}

void require_venv(const Interpreter& interpreter) {
    if (interpreter.has_venv) return;
    throw Error{ErrorKind::preflight,
                fmt::format("{} has no venv module", interpreter.path.string()),
                "install it (apt-get install python3-venv), or use uv (python.installer: uv)"};
}

}  // namespace

std::string installer_at_hand(InstallerChoice choice, const Interpreter& interpreter,
                              const fs::path& tools, const Settings& settings,
                              std::stop_token stop) {
    if (choice != InstallerChoice::pip) {
        if (const auto uv = uv_that_is_there(tools, settings, pinned_uv(), stop))
            return "uv at " + uv->string();
        if (!settings.offline) {
            require_pip_or_ensurepip(interpreter);
            return "uv, to be brought by pip";
        }
        if (choice == InstallerChoice::uv) throw as_preflight(uv_is_missing());
    }
    require_pip_or_ensurepip(interpreter);
    require_venv(interpreter);
    try {
        if (interpreter.has_pip) require_pip_version(interpreter);
    } catch (const Error& error) {
        throw as_preflight(error);
    }
    return "pip of " + interpreter.path.string();
}

Installer find_installer(InstallerChoice choice, const Interpreter& interpreter,
                         const fs::path& tools, const Settings& settings, std::stop_token stop,
                         const UvRelease& release) {
    if (choice == InstallerChoice::pip) return pip_of(interpreter, tools, settings, stop);
    if (const auto uv = uv_that_is_there(tools, settings, release, stop)) {
        return {InstallerKind::uv, *uv, interpreter.pip_settings};
    }
    if (settings.offline) {
        if (choice == InstallerChoice::automatic) return pip_of(interpreter, tools, settings, stop);
        throw uv_is_missing();
    }
    try {
        return {InstallerKind::uv, bring_uv(interpreter, tools, settings, release, stop),
                interpreter.pip_settings};
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted || choice == InstallerChoice::uv) throw;
        say(settings, error.message() + "; going on with pip");
    }
    return pip_of(interpreter, tools, settings, stop);
}

}  // namespace podctl::python
