#include "podctl/base/error.hpp"

#include "podctl/base/shorten.hpp"

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace podctl {

std::string_view to_string(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::usage:
            return "usage";
        case ErrorKind::template_:
            return "template";
        case ErrorKind::preflight:
            return "preflight";
        case ErrorKind::network:
            return "network";
        case ErrorKind::unauthorized:
            return "unauthorized";
        case ErrorKind::not_found:
            return "not_found";
        case ErrorKind::integrity:
            return "integrity";
        case ErrorKind::io:
            return "io";
        case ErrorKind::conflict:
            return "conflict";
        case ErrorKind::git:
            return "git";
        case ErrorKind::python:
            return "python";
        case ErrorKind::command_failed:
            return "command_failed";
        case ErrorKind::launch:
            return "launch";
        case ErrorKind::smoke:
            return "smoke";
        case ErrorKind::locked:
            return "locked";
        case ErrorKind::interrupted:
            return "interrupted";
        case ErrorKind::internal:
            return "internal";
    }
    return "internal";
}

int exit_code(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::usage:
        case ErrorKind::template_:
            return 2;
        case ErrorKind::preflight:
            return 3;
        case ErrorKind::network:
        case ErrorKind::unauthorized:
        case ErrorKind::not_found:
        case ErrorKind::integrity:
        case ErrorKind::io:
        case ErrorKind::conflict:
        case ErrorKind::git:
        case ErrorKind::python:
        case ErrorKind::command_failed:
        case ErrorKind::internal:
            return 4;
        case ErrorKind::launch:
            return 5;
        case ErrorKind::smoke:
            return 6;
        case ErrorKind::locked:
            return 7;
        case ErrorKind::interrupted:
            return 130;  // as after Ctrl-C, for a caller that knows no signal
    }
    return 4;
}

namespace {

// More than what is told in the end: that is cut when secrets have been taken out, and where it is
// cut here half of one may be left.
constexpr std::size_t longest_line = 16'000, longest_text = 256u << 10;

}  // namespace

Error::Error(ErrorKind kind, const std::string& message, std::string hint)
    : std::runtime_error(shorten_message(message, longest_line, longest_text)),
      kind_(kind),
      hint_(shorten_message(std::move(hint), longest_line, longest_text)) {}

namespace {

std::string remedy(int error_number) {
    switch (error_number) {
        case ENOSPC:
            return "the disk is full: free some space, or give the pod a larger disk";
        case EDQUOT:
            return "the quota is used up: free some space, or ask for a larger volume";
        case EROFS:
            return "the file system is mounted read-only: mount it writable";
        case EACCES:
        case EPERM:
            return "run podctl as the user that owns it, or change its permissions";
        case EMFILE:
        case ENFILE:
            return "too many files are open: raise the limit (ulimit -n)";
        default:
            return {};
    }
}

}  // namespace

Error system_error(const std::string& what, int error_number) {
    return Error{ErrorKind::io, what + ": " + std::generic_category().message(error_number),
                 remedy(error_number)};
}

Error as_error(const std::exception& caught) {
    if (const auto* error = dynamic_cast<const Error*>(&caught)) return *error;
    if (const auto* error = dynamic_cast<const std::filesystem::filesystem_error*>(&caught))
        return system_error(error->path1().string(), error->code().value());
    return Error{ErrorKind::internal, std::string{"unexpected: "} + caught.what(),
                 "this is a fault of podctl: please report it"};
}

}  // namespace podctl
