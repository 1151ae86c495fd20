#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/remove_tree.hpp"
#include "podctl/python/python.hpp"

#include "installer_command.hpp"
#include "installer_errors.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;

// The file that the installer reads, gone at the end.
class LockFile {
public:
    LockFile(const Lock& lock, const fs::path& folder) {
        static std::atomic<int> count{0};
        path_ = folder / fmt::format("install-{}-{}.txt", ::getpid(), count++);
        write_file_atomically(path_, lock.requirements());
    }
    LockFile(const LockFile&) = delete;
    LockFile& operator=(const LockFile&) = delete;
    ~LockFile() {
        std::error_code ignored;
        fs::remove(path_, ignored);
    }
    const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

// Bytecode is never compiled: all of it costs more than the first start does without.
Command install_command(const fs::path& python, const Installer& installer,
                        const Settings& settings) {
    Command command = call_of(installer, settings, python.parent_path());
    switch (installer.kind) {
        case InstallerKind::uv:
            command.argv.insert(command.argv.end(),
                                {"pip", "install", "--no-deps", "--python", python.string()});
            break;
        case InstallerKind::pip:
            command.argv.insert(command.argv.end(), {"--python", python.string(), "install",
                                                     "--no-deps", "--no-compile"});
            break;
    }
    return command;
}

// What is built goes into `folder`, and into the installer's cache.
Command build_command(const Interpreter& base, const fs::path& folder, const Installer& installer,
                      const Settings& settings) {
    Command command = call_of(installer, settings);
    switch (installer.kind) {
        case InstallerKind::uv:
            command.argv.insert(command.argv.end(),
                                {"pip", "install", "--no-deps", "--python", base.path.string(),
                                 "--target", folder.string()});
            break;
        case InstallerKind::pip:
            command.argv.insert(command.argv.end(),
                                {"wheel", "--no-deps", "--wheel-dir", folder.string()});
            break;
    }
    return command;
}

void run_over(const Lock& lock, Command command, const Installer& installer,
              const Settings& settings, std::stop_token stop) {
    if (lock.pins.empty()) return;
    const LockFile file{lock, fs::absolute(settings.cache)};
    command.argv.insert(command.argv.end(), {"--requirement", file.path().string()});
    add_index_arguments(command, installer, settings);
    const Finished finished = run_installer(command, settings, stop);
    if (!finished.status.ok()) throw install_error(finished, installer, settings, by_lock(lock));
}

// One hash makes pip want a hash of every package in the call.
std::vector<Lock> calls_for(const Lock& lock, const Installer& installer) {
    if (installer.kind == InstallerKind::uv) return {lock};
    Lock plain{.pins = {}, .options = lock.options}, hashed = plain;
    for (const Pin& pin : lock.pins)
        (pin.hashes.empty() ? plain : hashed).pins.push_back(pin);
    return {plain, hashed};
}

}  // namespace

void install(const Lock& lock, const fs::path& environment_python, const Installer& installer,
             const Settings& settings, std::stop_token stop) {
    // The installer runs in another folder.
    const Command command = install_command(fs::absolute(environment_python), installer, settings);
    for (const Lock& part : calls_for(lock, installer))
        run_over(part, command, installer, settings, stop);
}

void build(const Lock& lock, const Interpreter& base, const Installer& installer,
           const Settings& settings, const fs::path& scratch, std::stop_token stop) {
    const fs::path folder = fs::absolute(scratch) / "built";
    remove_tree(folder);
    const Discarded built{folder};
    const Command command = build_command(base, folder, installer, settings);
    for (const Lock& part : calls_for(lock, installer))
        run_over(part, command, installer, settings, stop);
}

}  // namespace podctl::python
