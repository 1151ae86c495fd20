#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace podctl {

// What went wrong, in the words that scripts see (spec §4, step.failed error.code).
enum class ErrorKind {
    usage,           // the command line
    template_,       // the pod template
    preflight,       // the machine does not fit the template
    network,         // no connection, a cut one, a server that fails
    unauthorized,    // a token is missing or was refused
    not_found,       // the hub, the server or the disk has no such thing
    integrity,       // the bytes are not the ones that were promised
    io,              // the local file system
    conflict,        // what stands there is not podctl's, or requirements that exclude each other
    git,             // a repository
    python,          // an interpreter, pip or uv
    command_failed,  // a child process ended in failure
    launch,          // ComfyUI or a service did not start, or ended in failure
    smoke,           // the smoke test
    locked,          // another podctl holds the root
    interrupted,     // a stop was requested
    internal,        // a fault of podctl
};

// The kind as scripts see it: "template", "integrity", …
std::string_view to_string(ErrorKind kind);

// The exit code of a run that ended with this error (spec §3). `interrupted` has none of its own:
// the caller that knows the signal answers 128+N.
int exit_code(ErrorKind kind);

// The one exception of the house: what happened and where (message), and what to do about it
// (hint). Caught at the step boundary in run and in main; anywhere else only to add what the
// catcher knows.
class Error : public std::runtime_error {
public:
    // Either may quote what others have made: they are kept within shorten_message()'s bounds.
    Error(ErrorKind kind, const std::string& message, std::string hint = {});

    ErrorKind kind() const { return kind_; }
    std::string message() const { return what(); }
    const std::string& hint() const { return hint_; }

private:
    ErrorKind kind_;
    std::string hint_;
};

// Error of kind io for a failed system call: "<what>: <strerror(error_number)>", with a hint where
// the errno has a known remedy (ENOSPC, EROFS, EACCES).
Error system_error(const std::string& what, int error_number);

// What a boundary that catches everything tells: an Error as it is, what std::filesystem throws as
// Error{io} with its path, all else as a fault of podctl.
Error as_error(const std::exception& caught);

}  // namespace podctl
