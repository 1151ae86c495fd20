#include "spawn.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/secret_names.hpp"

#include "child.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace podctl {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view default_path = "/usr/local/bin:/usr/bin:/bin";

std::map<std::string, std::string> child_environment(const Command& command) {
    std::map<std::string, std::string> variables;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view variable{*entry};
        const auto equals = variable.find('=');
        if (equals == std::string_view::npos) continue;
        const auto name = variable.substr(0, equals);
        // Whoever means a child to have one says so in the command's own environment.
        if (is_secret_variable(name)) continue;
        variables.emplace(name, variable.substr(equals + 1));
    }
    for (const auto& name : command.unset)
        variables.erase(name);
    for (const auto& [name, value] : command.environment)
        variables[name] = value;
    return variables;
}

// Pointers to the strings with a null at the end, as exec wants them.
std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> result;
    for (auto& string : strings)
        result.push_back(string.data());
    result.push_back(nullptr);
    return result;
}

bool is_executable(const fs::path& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
}

// As execvp: a name with a slash is a path, and relative ones start at the child's working
// directory. The result is meant for that directory too.
std::optional<fs::path> look_up(std::string_view name, std::string_view search_path,
                                const fs::path& working_directory) {
    if (name.empty()) return std::nullopt;
    const auto stands = [&](const fs::path& path) {
        return is_executable(working_directory / path);
    };
    if (name.find('/') != std::string_view::npos)
        return stands(name) ? std::optional{fs::path{name}} : std::nullopt;
    for (const std::string& folder : split(search_path, ':')) {
        const fs::path path = fs::path{folder.empty() ? "." : folder} / name;
        if (stands(path)) return path;
    }
    return std::nullopt;
}

[[noreturn]] void throw_not_found(const std::string& name, const fs::path& working_directory) {
    std::error_code ignored;
    const bool is_path = name.find('/') != std::string::npos;
    if (is_path && fs::exists(working_directory / name, ignored))
        throw Error{ErrorKind::io, name + ": not an executable file", "check its permissions"};
    if (is_path) throw Error{ErrorKind::not_found, name + ": no such program"};
    throw Error{ErrorKind::not_found, name + ": no such program in PATH",
                "install it, or add its folder to PATH"};
}

void check_folder(const fs::path& folder) {
    std::error_code ignored;
    if (!folder.empty() && !fs::is_directory(folder, ignored))
        throw Error{ErrorKind::io, "the working directory " + folder.string() + " does not exist"};
}

// With SIGCHLD ignored, which a parent may hand down, the kernel reaps the children and their exit
// codes are lost.
void want_exit_codes() {
    struct sigaction action {};
    if (::sigaction(SIGCHLD, nullptr, &action) != 0 || action.sa_handler != SIG_IGN) return;
    action.sa_handler = SIG_DFL;
    ::sigaction(SIGCHLD, &action, nullptr);
}

void check(int error_number) {
    if (error_number != 0) throw system_error("cannot prepare a child process", error_number);
}

// A process group of its own, no blocked signal, none ignored.
class Attributes {
public:
    Attributes() {
        check(::posix_spawnattr_init(&value_));
        sigset_t none, all;
        sigemptyset(&none);
        sigfillset(&all);
        sigdelset(&all, SIGKILL);
        sigdelset(&all, SIGSTOP);
        check(::posix_spawnattr_setsigmask(&value_, &none));
        check(::posix_spawnattr_setsigdefault(&value_, &all));
        check(::posix_spawnattr_setpgroup(&value_, 0));
        check(::posix_spawnattr_setflags(
            &value_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
    }
    Attributes(const Attributes&) = delete;
    Attributes& operator=(const Attributes&) = delete;
    ~Attributes() { ::posix_spawnattr_destroy(&value_); }
    const posix_spawnattr_t* get() const { return &value_; }

private:
    posix_spawnattr_t value_{};
};

// Looked up, not linked: a podctl that also runs on glibc 2.28 (RHEL 8) cannot name it.
using AddChdir = int (*)(posix_spawn_file_actions_t*, const char*);
AddChdir add_chdir() {
    static const auto found =
        reinterpret_cast<AddChdir>(::dlsym(RTLD_DEFAULT, "posix_spawn_file_actions_addchdir_np"));
    return found;
}

class FileActions {
public:
    FileActions(int output, const fs::path& working_directory) {
        check(::posix_spawn_file_actions_init(&value_));
        check(::posix_spawn_file_actions_adddup2(&value_, output, STDOUT_FILENO));
        check(::posix_spawn_file_actions_adddup2(&value_, output, STDERR_FILENO));
        check(::posix_spawn_file_actions_addopen(&value_, STDIN_FILENO, "/dev/null", O_RDONLY, 0));
        if (!working_directory.empty()) check(add_chdir()(&value_, working_directory.c_str()));
    }
    FileActions(const FileActions&) = delete;
    FileActions& operator=(const FileActions&) = delete;
    ~FileActions() { ::posix_spawn_file_actions_destroy(&value_); }
    const posix_spawn_file_actions_t* get() const { return &value_; }

private:
    posix_spawn_file_actions_t value_{};
};

[[noreturn]] void throw_spawn_error(const std::string& program, int error_number) {
    // The program was there a moment ago, so it is its interpreter that is missing.
    if (error_number == ENOENT)
        throw Error{ErrorKind::not_found,
                    program + ": the interpreter in its first line, or its loader, does not exist",
                    "install it anew: a script of a moved Python environment looks like this"};
    throw system_error("cannot start " + program, error_number);
}

struct ProgramStart {
    fs::path program;
    std::vector<std::string> arguments;
    fs::path working_directory;
};

// env goes to the folder and becomes the program, whose path is meant for that folder.
ProgramStart started_by_env(const ProgramStart& start, std::string_view search_path) {
    const auto env = look_up("env", search_path, {});
    if (!env) throw_not_found("env", {});
    ProgramStart result{.program = *env,
                        .arguments = {"env", "-C", start.working_directory, start.program},
                        .working_directory = {}};
    result.arguments.insert(result.arguments.end(), start.arguments.begin() + 1,
                            start.arguments.end());
    return result;
}

struct Pipe {
    Fd read, write;
};

Pipe output_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw system_error("cannot make a pipe", errno);
    Pipe pipe{Fd{ends[0]}, Fd{ends[1]}};
    if (::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK) != 0)
        throw system_error("cannot make a pipe", errno);
    return pipe;
}

}  // namespace

FolderChange folder_change() {
    return add_chdir() == nullptr ? FolderChange::by_env : FolderChange::by_spawn;
}

Child Spawner::spawn(const Command& command, ExitNotice notice, FolderChange change) {
    if (command.argv.empty()) throw Error{ErrorKind::internal, "a command without a program"};
    check_folder(command.working_directory);
    want_exit_codes();
    const auto variables = child_environment(command);
    const auto path = variables.find("PATH");
    const std::string_view search_path =
        path == variables.end() ? default_path : std::string_view{path->second};
    const auto program = look_up(command.argv.front(), search_path, command.working_directory);
    if (!program) throw_not_found(command.argv.front(), command.working_directory);

    ProgramStart start{*program, command.argv, command.working_directory};
    if (!start.working_directory.empty() && change == FolderChange::by_env)
        start = started_by_env(start, search_path);
    std::vector<std::string> environment;
    for (const auto& [name, value] : variables)
        environment.push_back(fmt::format("{}={}", name, value));
    Pipe pipe = output_pipe();
    const FileActions actions{pipe.write.get(), start.working_directory};
    const Attributes attributes;
    pid_t pid = 0;
    {
        const std::scoped_lock lock{own_children().mutex};
        const int error =
            ::posix_spawn(&pid, start.program.c_str(), actions.get(), attributes.get(),
                          pointers(start.arguments).data(), pointers(environment).data());
        if (error != 0) throw_spawn_error(start.program.string(), error);
        own_children().pids.insert(pid);
    }
    return Child{std::make_unique<Child::State>(pid, std::move(pipe.read), notice)};
}

Child spawn(const Command& command) {
    return Spawner::spawn(command, ExitNotice::pidfd);
}

std::optional<fs::path> find_program(std::string_view name) {
    const char* path = std::getenv("PATH");
    return look_up(name, path == nullptr ? default_path : path, {});
}

}  // namespace podctl
