#pragma once

#include "podctl/base/fd.hpp"

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace podctl {

// How a child ended.
struct ExitStatus {
    int code = 0;    // the exit code, when it exited by itself
    int signal = 0;  // the signal that ended it, or 0

    bool ok() const { return code == 0 && signal == 0; }
    // "exit code 1", "killed by SIGKILL".
    std::string describe() const;
};

struct Command {
    std::vector<std::string> argv;                 // argv[0] is looked up in PATH
    std::filesystem::path working_directory = {};  // empty: podctl's own
    std::map<std::string, std::string> environment =
        {};                               // added to podctl's own without its secrets; wins
    std::vector<std::string> unset = {};  // variables that the child must not see

    // As a person would type it, quoted for a shell.
    std::string describe() const;
};

// "SIGTERM"; "signal 40" for one that has no name of its own.
std::string signal_name(int signal);

// A running child in a process group of its own, with a clean signal mask, nothing on its standard
// input and stdout and stderr joined in one pipe. The destructor kills the group and reaps the
// child.
class Child {
public:
    Child(Child&&) noexcept;
    Child& operator=(Child&&) noexcept;
    ~Child();

    pid_t pid() const;
    // Readable once the child has ended: a pidfd, or an eventfd where the kernel has no pidfd_open.
    int exit_fd() const;
    // Non-blocking read end of the child's output; its end may come after the child's, when a
    // grandchild keeps it open.
    int output_fd() const;
    // The status once it has ended, and the same again later; nullopt while it runs.
    std::optional<ExitStatus> poll();
    // Blocks until it has ended.
    ExitStatus wait();
    // Sends a signal to the whole process group; a group that is gone is fine.
    void signal_group(int signal);

private:
    friend struct Spawner;
    struct State;
    explicit Child(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// Throws Error{not_found} when the program does not exist, Error{io} otherwise.
Child spawn(const Command& command);

// True for PID 1 and for a subreaper: processes whose parent is gone become its children.
bool adopts_orphans();

// Reaps the adopted processes that have ended, never one that a Child stands for. Whoever else in
// this process makes children and waits for them must not do so meanwhile.
void reap_orphans();

struct RunOptions {
    std::function<void(std::string_view line)> on_line =
        {};                                   // each line of output, without its end
    std::chrono::milliseconds grace{10'000};  // between TERM and KILL when stopped
    std::optional<std::chrono::milliseconds> timeout =
        {};  // then it is stopped: Error{command_failed}
};

// Runs to the end and hands its lines over. A stop request ends the whole group (TERM, grace, KILL)
// and throws Error{interrupted}.
ExitStatus run_command(const Command& command, std::stop_token stop,
                       const RunOptions& options = {});

struct Captured {
    ExitStatus status;
    std::string output;  // stdout and stderr, at most 16 MiB from the start
};
Captured run_captured(const Command& command, std::stop_token stop, RunOptions options = {});

// The path of a program as the shell would find it; nullopt: not in PATH, or not executable.
std::optional<std::filesystem::path> find_program(std::string_view name);

// Splits a stream into lines: \n ends one, and \r too, since progress bars use it. A line of more
// than 64 KiB comes in pieces.
class LineSplitter {
public:
    explicit LineSplitter(std::function<void(std::string_view)> on_line);
    void feed(std::string_view bytes);
    void finish();  // hands over a last line without an end

private:
    std::function<void(std::string_view)> on_line_;
    std::string pending_;
    bool after_return_ = false;  // the \n of \r\n ends no line of its own
};

}  // namespace podctl
