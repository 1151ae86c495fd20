#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/python/python.hpp"

#include "call.hpp"
#include "complaint.hpp"

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

void install_pins(const Lock& lock, const fs::path& python, const Installer& installer,
                  const Settings& settings, std::stop_token stop) {
    if (lock.pins.empty()) return;
    const LockFile file{lock, fs::absolute(settings.cache)};
    Command command = call_of(installer, settings, python.parent_path());
    switch (installer.kind) {
        // No bytecode: compiling all of it costs more than the first start does without.
        case InstallerKind::uv:
            command.argv.insert(command.argv.end(),
                                {"pip", "install", "--no-deps", "--python", python.string()});
            break;
        case InstallerKind::pip:
            command.argv.insert(command.argv.end(), {"--python", python.string(), "install",
                                                     "--no-deps", "--no-compile"});
            break;
    }
    command.argv.insert(command.argv.end(), {"--requirement", file.path().string()});
    add_index_arguments(command, installer, settings);
    const Finished finished = run_installer(command, settings, stop);
    if (!finished.status.ok()) throw install_error(finished, installer, settings, by_lock(lock));
}

}  // namespace

void install(const Lock& lock, const fs::path& environment_python, const Installer& installer,
             const Settings& settings, std::stop_token stop) {
    const fs::path python =
        fs::absolute(environment_python);  // the installer runs in another folder
    if (installer.kind == InstallerKind::uv) {
        return install_pins(lock, python, installer, settings, stop);
    }
    // One hash makes pip want a hash of every package in the call.
    Lock plain{.pins = {}, .options = lock.options}, hashed = plain;
    for (const Pin& pin : lock.pins)
        (pin.hashes.empty() ? plain : hashed).pins.push_back(pin);
    install_pins(plain, python, installer, settings, stop);
    install_pins(hashed, python, installer, settings, stop);
}

}  // namespace podctl::python
