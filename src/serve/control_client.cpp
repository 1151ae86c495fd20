#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/own_process.hpp"
#include "podctl/base/units.hpp"
#include "podctl/base/wait.hpp"
#include "podctl/serve/control.hpp"

#include "control_address.hpp"
#include "control_protocol.hpp"
#include "state_trust.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace podctl::serve {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

// A pod's server answers at once, unless the machine is very busy.
constexpr milliseconds patience = 10s;

Error unreachable(const fs::path& state, const std::string& why) {
    return {ErrorKind::launch,
            fmt::format("the podctl that works in {} cannot be reached: {}", state.string(), why)};
}

// 0, or the errno.
int connect_to(const Fd& socket, const SocketAddress& address) {
    return ::connect(socket.get(), address.generic(), address.size) == 0 ? 0 : errno;
}

bool nobody_listens(int error) {
    return error == ENOENT || error == ECONNREFUSED || error == ENOTSOCK;
}

int connect_in_folder(const Fd& socket, const Fd& folder) {
    return connect_to(socket, in_folder(folder.get()));
}

// Where the volume cannot hold sockets.
int connect_without_folder(const Fd& socket, const fs::path& state) {
    const auto recorded = read_file_if_exists(state / address_name);
    const std::string name{trim(recorded.value_or(""))};
    return name.starts_with("podctl-") ? connect_to(socket, abstract(name)) : ENOENT;
}

// A pod listens only to its user and to root, and so it must be one of them who is asked. Root may
// ask the owner of the folder, too, which check_state() has judged.
void check_server(const Fd& socket, const Fd& folder, const fs::path& state) {
    const auto user = peer_of(socket.get()).user;
    struct stat owner {};
    const bool is_owner = ::fstat(folder.get(), &owner) == 0 && user == owner.st_uid;
    if (user == ::geteuid() || user == 0 || (::geteuid() == 0 && is_owner)) return;
    throw unreachable(state,
                      fmt::format("user {} listens there, who is neither this one nor root", user));
}

Fd make_socket() {
    Fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!socket) throw system_error("cannot make a socket", errno);
    // Also bounds connect(2), which waits while too many others do.
    const timeval limit{.tv_sec = std::chrono::seconds{patience / 1s}.count(), .tv_usec = 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    return socket;
}

// Invalid: nobody listens.
Fd connect(const fs::path& state) {
    const Fd folder = open_folder(state);
    if (!folder) return {};
    check_state_folder(folder, state);
    Fd socket = make_socket();
    int error = connect_in_folder(socket, folder);
    if (nobody_listens(error)) error = connect_without_folder(socket, state);
    if (nobody_listens(error)) return {};
    if (error != 0) throw unreachable(state, system_error("its socket", error).message());
    check_server(socket, folder, state);
    return socket;
}

// The first line that comes. nullopt: the other side has ended without one.
std::optional<std::string> read_line(const Fd& socket, std::optional<milliseconds> time,
                                     const fs::path& state, const std::stop_token& stop) {
    const auto until = time ? std::optional{Clock::now() + *time} : std::nullopt;
    std::string line;
    std::array<char, 65536> block;
    while (line.find('\n') == std::string::npos) {
        if (line.size() > protocol::max_answer) throw unreachable(state, "its answer has no end");
        if (!wait_until_ready({.fd = socket.get()}, until, stop))
            throw unreachable(state, "no answer came");
        const auto got = ::recv(socket.get(), block.data(), block.size(), 0);
        if (got <= 0) return std::nullopt;
        line.append(block.data(), static_cast<std::size_t>(got));
    }
    line.resize(line.find('\n'));
    return line;
}

// Invalid: nobody listens.
Fd ask(const fs::path& state, const protocol::Request& request) {
    Fd socket = connect(state);
    if (!socket) return {};
    const auto line = protocol::text_of(request) + "\n";
    const auto sent = ::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL);
    // It has ended between the two calls.
    if (sent != static_cast<ssize_t>(line.size())) return {};
    return socket;
}

// Asks and keeps the connection, whose end is the pod's. Invalid: none runs.
Fd ask_and_stay(const fs::path& state, protocol::Request::Command command,
                const std::stop_token& stop) {
    Fd socket = ask(state, {.command = command});
    if (!socket) return {};
    const auto line = read_line(socket, patience, state, stop);
    if (!line) return {};
    protocol::check(*line);
    return socket;
}

// Throws when a podctl runs there all the same: its folder was removed or renamed, and its socket
// with it.
void refuse_one_without_socket(const fs::path& state) {
    const auto podctl = OwnProcess::find_announced(state);
    if (!podctl) return;
    auto error = unreachable(state, fmt::format("pid {} runs, and its socket is not in {}",
                                                podctl->pid(), state.string()));
    throw Error{error.kind(), error.message(),
                "if somebody has removed that folder: `podctl down` ends the pod"};
}

// Waits for the outcome, which may take as long as a service takes to start. A server that says
// nothing else meanwhile is not waited for. False: it has not come in `time`.
bool wait_for_outcome(const Fd& socket, std::optional<milliseconds> time, milliseconds silence,
                      const fs::path& state, const std::stop_token& stop) {
    const auto until = time ? std::optional{Clock::now() + *time} : std::nullopt;
    while (true) {
        const auto now = Clock::now();
        const auto next = until ? std::min(*until, now + silence) : now + silence;
        if (wait_until_ready({.fd = socket.get()}, next, stop)) return true;
        if (until && Clock::now() >= *until) return false;
        const Fd asked = ask(state, {.command = protocol::Request::Command::status});
        // One that ends meanwhile closes both.
        if (asked) read_line(asked, silence, state, stop);
    }
}

PodStatus status_of(RunningPod pod) {
    PodStatus status{.pid = pod.pid,
                     .version = {},
                     .template_path = {},
                     .steps = {},
                     .services = std::move(pod.services)};
    using enum PodStatus::Phase;
    if (pod.pid == 0)
        status.phase = left_behind;
    else
        status.phase = all_ready(status.services) ? ready : starting;
    return status;
}

}  // namespace

std::optional<PodStatus> find_pod_status(const fs::path& state, const fs::path& pids,
                                         const std::stop_token& stop, const OnNotice& on_notice) {
    if (const Fd socket = ask(state, {.command = protocol::Request::Command::status})) {
        if (const auto line = read_line(socket, patience, state, stop))
            return protocol::status_of(*line);
    }
    if (auto recorded = find_running_pod(pids, on_notice)) return status_of(std::move(*recorded));
    refuse_one_without_socket(state);
    return std::nullopt;
}

std::optional<std::vector<RunningService>> restart_services(const fs::path& state,
                                                            const std::string& service,
                                                            std::optional<milliseconds> timeout,
                                                            const std::stop_token& stop,
                                                            milliseconds silence) {
    const Fd socket =
        ask(state, {.command = protocol::Request::Command::restart, .service = service});
    if (!socket) {
        refuse_one_without_socket(state);
        return std::nullopt;
    }
    if (!wait_for_outcome(socket, timeout, silence, state, stop))
        throw Error{ErrorKind::launch,
                    fmt::format("{} not ready again within {}",
                                service.empty() ? "the services are" : service + " is",
                                format_duration(*timeout)),
                    "it goes on starting: see `podctl status` and `podctl logs`"};
    const auto line = read_line(socket, patience, state, stop);
    if (!line) throw Error{ErrorKind::launch, "the pod has ended meanwhile"};
    return protocol::restarted_of(*line);
}

bool ask_to_end(const fs::path& state, Urgency urgency, const std::stop_token& stop) {
    using enum protocol::Request::Command;
    return static_cast<bool>(
        ask_and_stay(state, urgency == Urgency::at_once ? end_at_once : end, stop));
}

void release_failed_pod(const fs::path& state, const std::stop_token& stop) {
    const Fd failed = ask_and_stay(state, protocol::Request::Command::end, stop);
    if (failed && !wait_until_ready({.fd = failed.get()}, Clock::now() + patience, stop))
        throw unreachable(state, "it has failed, and does not let go of its port");
}

Fd watch_pod(const fs::path& state, const std::stop_token& stop) {
    return ask_and_stay(state, protocol::Request::Command::watch, stop);
}

}  // namespace podctl::serve
