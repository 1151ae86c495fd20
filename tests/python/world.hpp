#pragma once

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process.hpp"
#include "podctl/python/python.hpp"

#include "support/error_of.hpp"
#include "support/temp_dir.hpp"
#include "support/wheels.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <cstdlib>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace podctl::python {

// The machine's pip.conf must not reach these tests.
inline const bool without_pip_configuration = [] {
    ::setenv("PIP_CONFIG_FILE", "/dev/null", 1);
    for (const char* variable : {"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS",
                                 "PIP_CONSTRAINT", "PIP_NO_INDEX"}) {
        ::unsetenv(variable);
    }
    return true;
}();

inline const Interpreter& host_python() {
    static const Interpreter found = find_interpreter("python3", {});
    return found;
}

// The real uv: $PODCTL_TEST_UV, or PATH's, or brought once into the build tree.
inline const Installer& real_uv() {
    static const Installer uv = [] {
        if (const char* given = std::getenv("PODCTL_TEST_UV"))
            return Installer{InstallerKind::uv, given};
        const auto tools = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "tools";
        // Test programs run beside each other, and podctl brings uv under its root's lock.
        create_folders(tools);
        const Fd lock{::open((tools / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)};
        ::flock(lock.get(), LOCK_EX);
        return find_installer(InstallerChoice::uv, host_python(), tools, {.cache = tools / "cache"},
                              {});
    }();
    return uv;
}

inline Installer real(InstallerKind kind) {
    return kind == InstallerKind::uv ? real_uv()
                                     : Installer{InstallerKind::pip, host_python().path};
}

using test::error_of;

inline Lock lock_of(const std::vector<std::string>& requirements) {
    Lock lock;
    for (const std::string& requirement : requirements)
        lock.pins.push_back({requirement});
    return lock;
}

inline std::vector<std::string> requirements_in(const Lock& lock) {
    std::vector<std::string> requirements;
    for (const Pin& pin : lock.pins)
        requirements.push_back(pin.requirement);
    return requirements;
}

// A folder, an index of small wheels in it, and both installers to use it.
class World : public testing::TestWithParam<InstallerKind> {
protected:
    test::TempDir dir;
    Installer installer = real(GetParam());
    Settings settings{.cache = dir / "cache", .index_url = "file://" + (dir / "index").string()};

    void index(const std::vector<test::Wheel>& wheels) { test::write_index(dir / "index", wheels); }

    std::filesystem::path file(const std::string& name, const std::string& text) {
        write_file_atomically(dir / name, text);
        return dir / name;
    }

    // A base environment as an image brings it: a venv with these pins in it.
    Interpreter base_with(const std::vector<std::string>& pins) {
        const Installer& uv = real_uv();
        const auto python = create_environment({.path = dir / "base", .inherit = false},
                                               host_python(), uv, settings, {});
        install(lock_of(pins), python, uv, settings, {});
        return probe(python, {});
    }

    // A line that asks for a source tree, which the backend inhouse.py builds.
    std::string source_built_by(const std::string& name, const std::string& requirement) {
        file(name + "/pyproject.toml",
             "[build-system]\nrequires = ['" + requirement +
                 "']\nbuild-backend = 'inhouse'\n[tool.inhouse]\nname = '" + name + "'\n");
        return name + " @ file://" + (dir / name).string();
    }

    // The path of a source tree whose build runs `code`, and gives nothing.
    std::string source_that(const std::string& name, const std::string& code) {
        file(name + "/pyproject.toml",
             "[build-system]\nrequires = []\nbuild-backend = 'own'\nbackend-path = ['.']\n");
        file(name + "/own.py", "def build_wheel(*_, **__):\n    " + code + "\n");
        return (dir / name).string();
    }

    ResolveRequest request(const std::vector<std::string>& lines) {
        return {.requirements = {{.file = {}, .lines = lines, .label = "template"}},
                .scratch = dir / "scratch"};
    }

    Lock resolved(const ResolveRequest& request, const Interpreter& base = host_python()) {
        return resolve(request, base, installer, settings, {});
    }

    // What `python -c code` prints in the environment.
    static std::string says(const std::filesystem::path& python, const std::string& code) {
        const auto captured = run_captured({.argv = {python.string(), "-c", code}}, {});
        return std::string{trim(captured.output)};
    }
};

inline std::string kind_name(const testing::TestParamInfo<InstallerKind>& info) {
    return info.param == InstallerKind::uv ? "uv" : "pip";
}

}  // namespace podctl::python
