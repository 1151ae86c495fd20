#pragma once

#include "podctl/python/generations.hpp"

#include "python/world.hpp"
#include "step_test.hpp"
#include "support/set_env.hpp"
#include "support/wheels.hpp"

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

namespace podctl::run {

// The steps of one environment, by the real installers and from an index of small wheels.
class EnvironmentTest : public StepTest {
protected:
    explicit EnvironmentTest(python::InstallerKind kind = python::InstallerKind::uv) {
        offer_packages();
        spec.name = "python";
        spec.path = root / "venv";
        spec.settings.interpreter = "python3";
        spec.settings.installer =
            kind == python::InstallerKind::uv ? tmpl::Installer::uv : tmpl::Installer::pip;
        spec.settings.inherit = false;
        spec.settings.torch = "keep";
        spec.settings.index_url = "file://" + index().string();
        spec.requirement_lines = {"one"};
        std::filesystem::create_directories(context.places.logs);
        if (kind == python::InstallerKind::pip) return;
        const auto uv = python::real_uv().program.parent_path().string();
        path.emplace("PATH", (uv + ":" + std::getenv("PATH")).c_str());
    }

    std::filesystem::path index() const { return dir / "index"; }
    void offer_packages() const { test::write_index(index(), {{"one", "1.0"}, {"one", "2.0"}}); }

    static std::string id_of(const plan::CreateEnvironment&) { return "python.venv"; }
    static std::string id_of(const plan::ResolveEnvironment&) { return "python.resolve"; }
    static std::string id_of(const plan::InstallEnvironment&) { return "python.install"; }
    static std::string id_of(const plan::BuildEnvironment&) { return "service:app.environment"; }

    // What a step of the environment finds, and what it does and records.
    template <class Action>
    Look found(const std::string& fingerprint = wish) {
        const auto step = environment_step<Action>(fingerprint);
        return look(std::get<Action>(step.action), task_of(step));
    }
    template <class Action>
    Outcome done() {
        const auto step = environment_step<Action>(wish);
        auto outcome = perform(std::get<Action>(step.action), task_of(step));
        context.journal.put(step.id, {.fingerprint = wish, .facts = outcome.facts});
        return outcome;
    }
    // All three.
    void make_environment() {
        done<plan::CreateEnvironment>();
        done<plan::ResolveEnvironment>();
        done<plan::InstallEnvironment>();
    }

    std::filesystem::path generation() const {
        return python::current_generation(spec.path).value();
    }
    bool is_finished() const { return python::finished_fingerprint(spec.path).has_value(); }
    // What Python says there.
    std::string says(const std::string& code) const {
        return says(python::environment_python(spec.path), code);
    }
    static std::string says(const std::filesystem::path& python, const std::string& code) {
        return std::string{trim(run_captured({.argv = {python.string(), "-c", code}}, {}).output)};
    }
    std::string version_of_one() const { return says("import one; print(one.__version__)"); }
    // Where its packages are.
    std::filesystem::path site() const { return site_of(python::environment_python(spec.path)); }
    static std::filesystem::path site_of(const std::filesystem::path& python) {
        return says(python, "import sysconfig; print(sysconfig.get_path('purelib'))");
    }

    // An interpreter as an image brings it, with these packages by their names alone.
    std::filesystem::path make_image(const std::string& package = {}) const {
        const auto python = python::create_environment(
            {.path = dir / "image", .inherit = false}, python::host_python(),
            python::real(python::InstallerKind::pip), {.cache = context.places.cache}, {});
        python::give_pip(dir / "image", python::host_python());
        if (!package.empty()) add_distribution(python, package, "2.9.0");
        return python;
    }
    static void add_distribution(const std::filesystem::path& python, const std::string& name,
                                 const std::string& version) {
        write_file_atomically(
            site_of(python) / (name + "-" + version + ".dist-info/METADATA"),
            "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n");
    }

    plan::EnvironmentSpec spec;

private:
    template <class Action>
    plan::Step environment_step(const std::string& fingerprint) const {
        const Action action{spec};
        return {.id = id_of(action), .action = action, .fingerprint = fingerprint};
    }

    std::optional<test::SetEnv> path;
};

}  // namespace podctl::run
