#include "context.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/process_stat.hpp"
#include "podctl/git/git.hpp"

#include <sys/stat.h>

#include <chrono>
#include <cstring>
#include <fstream>

namespace podctl::run {

namespace fs = std::filesystem;

python::Interpreter Pythons::interpreter(const std::string& wanted, std::stop_token stop) {
    const std::scoped_lock lock{mutex_};
    const auto it = interpreters_.find(wanted);
    if (it != interpreters_.end()) return it->second;
    return interpreters_.emplace(wanted, python::find_interpreter(wanted, stop)).first->second;
}

python::Installer Pythons::installer(python::InstallerChoice choice,
                                     const python::Interpreter& interpreter, const fs::path& tools,
                                     const python::Settings& settings, std::stop_token stop) {
    const std::scoped_lock lock{mutex_};
    const auto it = installers_.find(choice);
    if (it != installers_.end()) return it->second;
    auto installer = python::find_installer(choice, interpreter, tools, settings, stop);
    return installers_.emplace(choice, std::move(installer)).first->second;
}

void Pythons::put_fresh(const fs::path& environment) {
    const std::scoped_lock lock{mutex_};
    fresh_.insert(environment);
}

bool Pythons::take_fresh(const fs::path& environment) {
    const std::scoped_lock lock{mutex_};
    return fresh_.erase(environment) > 0;
}

fetch::HttpClient& Context::http() {
    std::call_once(http_once_, [this] {
        fetch::HttpOptions http;
        http.credentials = credentials_of(secrets, mirrors);
        http.insecure_http = options.insecure_http;
        http.connections = options.connections;
        http.limit_rate = options.limit_rate;
        http_ = std::make_unique<fetch::HttpClient>(std::move(http));
    });
    return *http_;
}

const machine::Gpus& Context::gpus() {
    std::call_once(gpus_once_, [this] { gpus_ = machine::inspect_gpus(); });
    return gpus_;
}

std::map<std::string, std::string> Context::child_environment() const {
    auto environment = git::child_environment(mirrors);
    for (const auto& [name, value] : pod.pod.env)
        environment[name] = value;
    for (const auto& [name, value] : child_mark(places.state))
        environment[name] = value;
    return environment;
}

void Task::progress(std::uint64_t done, std::optional<std::uint64_t> total,
                    const char* unit) const {
    context.events.emit(event::StepProgress{step.id, done, total, unit});
}

fetch::RetryPolicy Task::retry() const {
    fetch::RetryPolicy policy;
    policy.on_retry = [&events = context.events, id = step.id](
                          int attempt, std::chrono::milliseconds wait, const std::string& reason) {
        events.emit(event::StepRetrying{id, attempt, wait, reason});
    };
    return policy;
}

fs::path Task::move_aside(const fs::path& path) const {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto stamp = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
    const fs::path target = context.places.replaced / std::to_string(stamp) / path.filename();
    create_folders(target.parent_path());
    rename_durably(path, target);
    notice("what stood there is now in " + target.string());
    return target;
}

void move_into_place(const fs::path& from, const fs::path& to) {
    create_folders(to.parent_path());
    struct stat source {
    }, folder{};
    if (::stat(from.c_str(), &source) != 0)
        throw system_error("cannot read " + from.string(), errno);
    if (::stat(to.parent_path().c_str(), &folder) != 0) {
        throw system_error("cannot read " + to.parent_path().string(), errno);
    }
    if (source.st_dev == folder.st_dev) return rename_durably(from, to);
    // models/ may be a link or a mount of its own.
    remove_abandoned(to.parent_path(), to.filename().string());
    std::ifstream input{from, std::ios::binary};
    AtomicFile output{to};
    std::string block(4u << 20, '\0');
    while (input.read(block.data(), static_cast<std::streamsize>(block.size())) ||
           input.gcount() > 0) {
        output.write({block.data(), static_cast<std::size_t>(input.gcount())});
    }
    if (input.bad()) throw system_error("cannot read " + from.string(), errno);
    output.commit();
    remove_tree(from);
}

}  // namespace podctl::run
