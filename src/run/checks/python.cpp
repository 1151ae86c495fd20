#include "podctl/python/python.hpp"

#include "podctl/base/process.hpp"
#include "podctl/event/redact.hpp"
#include "podctl/machine/machine.hpp"

#include "../steps/environment_base.hpp"
#include "machine_checks.hpp"

#include <fmt/format.h>

namespace podctl::run {
namespace {

using plan::EnvironmentSpec;

// An address may hold a password.
std::string shown(const std::string& url) {
    return Redactor{}(url);
}

// The template may bring the interpreter itself.
bool packages_are_to_come(const Examination& found) {
    return !machine::missing_packages(found.context().pod.system_packages).empty();
}

std::string name_of(const std::string& what, const EnvironmentSpec& spec) {
    return spec.name == "python" ? what : fmt::format("{} of {}", what, spec.name);
}

void check_torch(Examination& found, const EnvironmentSpec& spec, const python::Interpreter& base) {
    const std::string check = name_of("torch", spec);
    const std::string& wanted = spec.settings.torch;
    // What somebody has chosen is taken, and told where it leaves the GPU idle.
    const auto chosen = [&](const std::string& what, const std::string& tag) {
        const auto idle = machine::why_torch_is_idle(tag, found.context().gpus());
        if (idle.empty() || wanted == "cpu") return found.ok(check, what);
        found.warn(check, fmt::format("{}: it {}, so ComfyUI would run on the CPU", what, idle),
                   "`python: {torch: auto, inherit: false}` brings one that fits, where there is "
                   "one");
    };
    if (takes_torch_of(base, spec))
        return chosen(
            fmt::format("{} of {} is kept", *base.version_of("torch"), base.path.string()),
            torch_tag_of(base));
    if (wanted == "keep") return found.ok(check, "none is there; the index decides");
    if (wanted != "auto") return chosen("wheels for " + wanted, wanted);
    try {
        const auto [tag, warning] = machine::torch_tag(found.context().gpus());
        if (warning.empty()) return found.ok(check, "wheels for " + tag);
        found.warn(check, warning, "or say which in python.torch");
    } catch (const Error& error) {
        found.fail(check, error.message(), error.hint());
    }
}

void check_installer(Examination& found, const EnvironmentSpec& spec,
                     const python::Interpreter& base, const python::Settings& settings) {
    const std::string check = name_of("installer", spec);
    try {
        found.ok(check,
                 python::installer_at_hand(choice_of(spec), base, found.context().places.tools,
                                           settings, found.stop()));
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted) throw;
        if (packages_are_to_come(found)) {
            return found.ok(check, "perhaps among the system packages that are to be installed");
        }
        found.fail(check, error.message(), error.hint());
    }
}

// pip takes the newest version that any index has (dependency confusion), and cannot be told
// otherwise.
void check_indexes(Examination& found, const EnvironmentSpec& spec) {
    const auto& settings = spec.settings;
    if (settings.extra_index_urls.empty() || settings.installer != tmpl::Installer::pip) return;
    if (settings.index_strategy == tmpl::IndexStrategy::unsafe_best_match) return;
    found.warn(name_of("indexes", spec),
               "pip takes the newest version that any of the indexes has, so any of them can stand "
               "in for any package",
               "set python.installer: uv, or say that it is meant (python.index_strategy: "
               "unsafe-best-match)");
}

}  // namespace

void check_python(Examination& found, const EnvironmentSpec& spec) {
    const std::string check = name_of("python", spec);
    std::optional<python::Interpreter> base;
    try {
        base = found.context().pythons.interpreter(spec.settings.interpreter, found.stop(),
                                                   found.context().caution());
    } catch (const python::NotRun& not_run) {
        return found.ok(check, not_run.message());
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted) throw;
        if (packages_are_to_come(found)) {
            return found.ok(check, "perhaps among the system packages that are to be installed");
        }
        return found.fail(check, error.message(), error.hint());
    }
    found.ok(check, fmt::format("{} at {}", base->version, base->path.string()));
    if (base->externally_managed && spec.settings.environment == tmpl::EnvironmentKind::system) {
        found.warn(check,
                   fmt::format("{} belongs to the distribution (PEP 668), and python.environment: "
                               "system installs into it all the same",
                               base->path.string()),
                   "python.environment: venv leaves it as it is");
    }
    check_installer(found, spec, *base, settings_of(spec, found.context()));
    check_indexes(found, spec);
    // A service takes the torch that its requirements name, if they name one.
    if (!spec.comfyui.empty()) check_torch(found, spec, *base);
}

void check_build_tools(Examination& found) {
    if (has_compiler()) {
        found.ok("compiler", "there");
    } else {
        found.warn("compiler",
                   "there is no C++ compiler: packages that come as source alone "
                   "cannot be built",
                   "add build-essential and python3-dev to system_packages if one is needed");
    }
    if (find_program("git")) return found.ok("git", "there");
    found.warn("git",
               "there is no git program: podctl clones by itself, but requirements such as "
               "git+https://… and some install.py scripts need it",
               "add git to system_packages if one is needed");
}

void check_index(Examination& found, const EnvironmentSpec& spec) {
    auto& context = found.context();
    if (context.options.offline) return;
    python::Interpreter base;
    try {
        base =
            context.pythons.interpreter(spec.settings.interpreter, found.stop(), context.caution());
    } catch (const python::NotRun&) {
        // Its own settings of pip are not known; the template's are.
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted) throw;
        return;  // told by check_python
    }
    const auto index = python::index_address(base, settings_of(spec, context));
    if (!index) return;
    const std::string check = name_of("index", spec);
    if (!context.may_ask(spec.settings.index_url, *index)) {
        return found.ok(check, "not asked, since a variable's value stands in its address");
    }
    try {
        const auto answer = context.http().send({.url = *index, .method = "HEAD"}, found.stop());
        if (answer.status == 401 || answer.status == 403) {
            return found.warn(check, fmt::format("{} answers {}", shown(*index), answer.status),
                              "check the user and password of python.index_url");
        }
        found.ok(check, shown(*index) + " answers");
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::network) throw;
        found.fail(check,
                   fmt::format("the package index {} cannot be reached: {}", shown(*index),
                               error.message()),
                   "check the network, python.index_url and the proxy; --offline takes what the "
                   "caches have");
    }
}

}  // namespace podctl::run
