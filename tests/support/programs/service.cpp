// A service that behaves as its arguments say. It prints lines, brings what is asked of it in the
// order of the members below, and then waits for a signal.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <thread>

namespace {

struct Options {
    std::map<std::string, std::string> values;

    explicit Options(int count, char** arguments) {
        for (int i = 1; i + 1 < count; i += 2)
            values[arguments[i]] = arguments[i + 1];
    }
    std::optional<std::string> get(const std::string& name) const {
        const auto found = values.find(name);
        return found == values.end() ? std::nullopt : std::optional(found->second);
    }
    int number(const std::string& name, int otherwise) const {
        const auto value = get(name);
        return value ? std::atoi(value->c_str()) : otherwise;
    }
};

[[noreturn]] void wait_for_a_signal() {
    while (true)
        ::pause();
}

std::string marker;

// As ComfyUI-Manager's restart button.
void reboot(int) {
    ::close(::open(marker.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    ::_exit(0);
}

void write_pid(const std::string& file, pid_t pid) {
    std::ofstream(file) << pid << std::flush;
}

// In the same process group, deaf to TERM.
void fork_grandchild(const std::string& file) {
    const pid_t pid = ::fork();
    if (pid != 0) return write_pid(file, pid);
    ::signal(SIGTERM, SIG_IGN);
    wait_for_a_signal();
}

// A process of another session whose parent is gone and which has ended: its adopter has to reap
// it.
void leave_orphan(const std::string& file) {
    int ready[2];
    if (::pipe(ready) != 0) std::exit(70);
    const pid_t between = ::fork();
    if (between == 0) {
        const pid_t orphan = ::fork();
        if (orphan == 0) {
            ::setsid();
            char go = 0;
            ::close(ready[1]);
            while (::read(ready[0], &go, 1) > 0) {
            }
            ::_exit(0);
        }
        write_pid(file, orphan);
        ::_exit(0);
    }
    ::waitpid(between, nullptr, 0);
    pid_t orphan = 0;
    std::ifstream(file) >> orphan;
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, orphan, 0));
    ::close(ready[0]);
    ::close(ready[1]);
    pollfd ended{pidfd, POLLIN, 0};
    ::poll(&ended, 1, -1);
}

// How often the service was started, this time included.
int count_run(const std::string& file) {
    std::ofstream(file, std::ios::app) << '.' << std::flush;
    std::ifstream counted(file, std::ios::ate);
    return static_cast<int>(counted.tellg());
}

int listen_on(int port) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(socket, 16) != 0) {
        std::perror("listen");
        std::exit(71);
    }
    return socket;
}

void serve(int socket, int status, int failures) {
    for (int count = 0;; ++count) {
        const int connection = ::accept(socket, nullptr, nullptr);
        if (connection < 0) continue;
        char request[4096];
        const auto answer = "HTTP/1.1 " + std::to_string(count < failures ? 503 : status) +
                            " X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        if (status != 0 && ::read(connection, request, sizeof request) > 0)
            static_cast<void>(!::write(connection, answer.data(), answer.size()));
        ::close(connection);
    }
}

}  // namespace

int main(int argument_count, char** arguments) {
    const Options options{argument_count, arguments};
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    if (const auto file = options.get("--marker")) {
        marker = *file;
        std::signal(SIGUSR1, reboot);
    }
    if (options.get("--ignore-term")) std::signal(SIGTERM, SIG_IGN);
    if (const auto file = options.get("--grandchild")) fork_grandchild(*file);
    if (const auto file = options.get("--orphan")) leave_orphan(*file);
    if (const auto text = options.get("--print")) std::puts(text->c_str());
    for (int line = 0; line < options.number("--lines", 0); ++line)
        std::printf("line %d\n", line);
    const int run = options.get("--count") ? count_run(*options.get("--count")) : 0;
    if (run != 0 && run == options.number("--fail-in", 0)) return 3;
    if (run >= options.number("--late-from", run + 1))
        std::this_thread::sleep_for(std::chrono::hours(1));
    if (const auto code = options.get("--exit")) return std::atoi(code->c_str());
    std::this_thread::sleep_for(std::chrono::milliseconds(options.number("--late", 0)));
    std::puts("up");
    // Connections come, and have no answer.
    if (const auto port = options.get("--deaf-on");
        port && listen_on(std::atoi(port->c_str())) >= 0)
        wait_for_a_signal();
    if (const auto port = options.get("--port"))
        serve(listen_on(std::atoi(port->c_str())), options.number("--http", 0),
              options.number("--http-failures", 0));
    wait_for_a_signal();
}
