#include "podctl/base/error.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process.hpp"
#include "podctl/base/shorten.hpp"
#include "podctl/python/python.hpp"

#include "probe_script.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <regex>
#include <set>
#include <utility>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;

// The first start on a cold network volume reads hundreds of small files.
constexpr std::chrono::minutes probe_timeout{2};

std::string last_line(const std::string& output) {
    const auto lines = split(trim(output), '\n');
    return lines.empty() ? std::string{} : shorten_line(lines.back());
}

Captured ask(const fs::path& path, std::stop_token stop) {
    try {
        return run_captured({.argv = {path.string(), "-I", "-c", probe_script}}, stop,
                            {.timeout = probe_timeout});
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted) throw;
        throw Error{ErrorKind::python,
                    fmt::format("{} cannot be started: {}", path.string(), error.message()),
                    "set python.interpreter to a Python 3.9 or newer"};
    }
}

Interpreter read_answer(const fs::path& path, const nlohmann::json& answer) {
    const auto version = answer.at("version").get<std::string>();
    if (!answer.contains("executable")) {
        throw Error{ErrorKind::python,
                    fmt::format("{} is Python {}; 3.9 or newer is needed", path.string(), version),
                    "set python.interpreter to a newer one"};
    }
    Interpreter found{.path = answer.at("executable").get<std::string>(), .version = version};
    found.site_packages = answer.at("site_packages").get<std::vector<std::string>>();
    found.is_venv = answer.at("is_venv").get<bool>();
    found.externally_managed = answer.at("externally_managed").get<bool>();
    found.has_pip = answer.at("has_pip").get<bool>();
    found.has_ensurepip = answer.at("has_ensurepip").get<bool>();
    found.has_venv = answer.at("has_venv").get<bool>();
    for (const auto& [name, its_version] : answer.at("packages").items()) {
        found.packages.push_back({name, its_version.get<std::string>()});
    }
    found.pip_settings = answer.at("pip").get<std::map<std::string, std::string>>();
    return found;
}

// Links to one Python in one folder are tried once. Links from elsewhere are not the same: a venv's
// python is a link to its base.
std::pair<fs::path, fs::path> identity(const fs::path& path) {
    std::error_code ignored;
    return {fs::weakly_canonical(path.parent_path(), ignored), fs::weakly_canonical(path, ignored)};
}

// Where a Python may be: PATH, an active environment, and where images put theirs.
std::vector<fs::path> python_folders() {
    std::vector<fs::path> folders;
    const char* path = std::getenv("PATH");
    for (const std::string& folder : split(path == nullptr ? "" : path, ':')) {
        if (!folder.empty()) folders.emplace_back(folder);
    }
    for (const char* variable : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
        const char* prefix = std::getenv(variable);
        if (prefix != nullptr && *prefix != '\0') folders.push_back(fs::path{prefix} / "bin");
    }
    folders.emplace_back("/opt/conda/bin");
    folders.emplace_back("/venv/bin");
    return folders;
}

std::vector<fs::path> candidates() {
    std::vector<fs::path> found;
    std::set<std::pair<fs::path, fs::path>> seen;
    for (const fs::path& folder : python_folders()) {
        for (const char* name : {"python3", "python"}) {
            const auto program = find_program((folder / name).string());
            // One of podctl's own, that somebody has activated, is what is made of the base.
            if (is_ours(folder.parent_path())) continue;
            if (program && seen.insert(identity(*program)).second) found.push_back(*program);
        }
    }
    return found;
}

// Whether a Python that is named is one that `auto` would look at by itself, whatever it is called
// there.
bool is_one_of_the_machines(const fs::path& program, const Caution& caution) {
    static const std::regex python{R"(python([0-9]+(\.[0-9]+)?)?)"};
    if (!std::regex_match(program.filename().string(), python)) return false;
    if (!is_trusted_program(program, caution)) return false;
    std::error_code ignored;
    const fs::path folder = fs::weakly_canonical(program.parent_path(), ignored);
    return std::ranges::any_of(python_folders(), [&](const fs::path& known) {
        return fs::weakly_canonical(known, ignored) == folder;
    });
}

Interpreter find_automatically(std::stop_token stop, const std::optional<Caution>& caution) {
    std::optional<Interpreter> first;
    std::string failures;
    for (const fs::path& path : candidates()) {
        if (caution && !is_trusted_program(path, *caution)) {
            failures += "; " + path.string() + " was not started, since others may change it";
            continue;
        }
        try {
            Interpreter found = probe(path, stop);
            if (found.version_of("torch")) return found;
            if (!first) first = std::move(found);
        } catch (const Error& error) {
            if (error.kind() == ErrorKind::interrupted) throw;
            failures += "; " + error.message();
        }
    }
    if (first) return std::move(*first);
    throw Error{ErrorKind::preflight, "no Python 3.9 or newer was found" + failures,
                "install one (apt-get install python3 python3-venv), or set python.interpreter"};
}

}  // namespace

std::optional<std::string> Interpreter::version_of(std::string_view package) const {
    const auto found = std::find_if(
        packages.begin(), packages.end(),
        [&](const Package& candidate) { return candidate.name == normalise_name(package); });
    return found == packages.end() ? std::nullopt : std::optional{found->version};
}

Interpreter probe(const fs::path& path, std::stop_token stop) {
    const Captured captured = ask(path, stop);
    const auto mark = captured.output.rfind(probe_mark);
    if (!captured.status.ok() || mark == std::string::npos) {
        throw Error{ErrorKind::python,
                    fmt::format("{} does not work as a Python: {}, {}", path.string(),
                                captured.status.describe(), last_line(captured.output)),
                    "set python.interpreter to a Python 3.9 or newer"};
    }
    try {
        const auto text =
            std::string_view{captured.output}.substr(mark + std::string_view{probe_mark}.size());
        const auto answer = text.substr(0, text.find('\n'));
        if (const auto parsed = parse_json(answer)) return read_answer(path, *parsed);
        throw Error{ErrorKind::python,
                    fmt::format("the answer of {} is {}", path.string(), json_fault(answer))};
    } catch (const nlohmann::json::exception& error) {
        throw Error{ErrorKind::python, fmt::format("{} gave an answer that cannot be read: {}",
                                                   path.string(), error.what())};
    }
}

Interpreter find_interpreter(const std::string& wanted, std::stop_token stop,
                             const std::optional<Caution>& caution) {
    if (wanted.empty() || wanted == "auto") return find_automatically(stop, caution);
    const auto program = find_program(wanted);
    if (!program) {
        throw Error{ErrorKind::preflight,
                    fmt::format("python.interpreter: {} is not there", wanted),
                    "install it, or let podctl look for one (python.interpreter: auto)"};
    }
    if (caution && !is_one_of_the_machines(*program, *caution)) {
        throw NotRun{
            fmt::format("{} is there, and was not started, since the template names it; "
                        "`up` will start it",
                        program->string())};
    }
    try {
        return probe(*program, stop);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::python) throw;
        throw Error{ErrorKind::preflight, "python.interpreter: " + error.message(), error.hint()};
    }
}

}  // namespace podctl::python
