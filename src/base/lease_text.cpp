#include "lease_text.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/process_stat.hpp"

#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <charconv>
#include <optional>

namespace podctl {

namespace {

constexpr std::string_view free_word = "free ";

// A word of the line, whatever was read.
std::string as_word(std::string text) {
    for (auto& c : text)
        if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f') c = '-';
    return text.empty() ? "-" : text;
}

std::string boot_word() {
    return as_word(boot_id());
}

std::string pid_space_word() {
    return as_word(pid_namespace());
}

// With its start a process is named for good: its number is used again.
std::string start_word(pid_t pid) {
    const auto process = read_process(pid);
    return process ? std::to_string(process->start_time) : "-";
}

struct ClaimIdentity {
    std::string boot, pid_space, start, host;
    pid_t pid = 0;
    long long since = 0;  // in seconds of the Unix epoch
};

template <class Number>
bool read_number(const std::string& word, Number& into) {
    const auto* end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data(), end, into);
    return error == std::errc{} && stop == end;
}

std::optional<ClaimIdentity> identity_in(std::string_view text) {
    const auto lines = split(text, '\n');
    if (lines.size() != 3) return std::nullopt;
    const auto words = split(lines[1], ' ');
    if (words.size() != 7) return std::nullopt;
    ClaimIdentity identity{.boot = words[0],
                           .pid_space = words[1],
                           .start = words[3],
                           .host = words[6],
                           .pid = 0,
                           .since = 0};
    if (!read_number(words[2], identity.pid) || !read_number(words[4], identity.since))
        return std::nullopt;
    return identity;
}

}  // namespace

std::string lease_line(LeaseState state, std::uint64_t heartbeat) {
    return fmt::format("{}{:020}\n", state == LeaseState::free ? free_word : "held ", heartbeat);
}

std::string new_lease_identity() {
    // Two claims of one process differ, too.
    unsigned long long number = 0;
    static_cast<void>(::getrandom(&number, sizeof number, 0));
    const auto since = std::chrono::duration_cast<std::chrono::seconds>(
        std::chrono::system_clock::now().time_since_epoch());
    return fmt::format("{} {} {} {} {} {:016x} {}\n", boot_word(), pid_space_word(), ::getpid(),
                       start_word(::getpid()), since.count(), number, as_word(host_name()));
}

bool is_free_lease(std::string_view text) {
    return text.starts_with(free_word);
}

bool is_left_lease(std::string_view text) {
    const auto identity = identity_in(text);
    if (!identity || identity->boot == "-" || identity->pid_space == "-") return false;
    if (identity->boot != boot_word() || identity->pid_space != pid_space_word()) return false;
    return start_word(identity->pid) != identity->start;
}

LeaseHolder holder_in_lease(std::string_view text) {
    const auto identity = identity_in(text);
    if (!identity) return {};
    return {.host = identity->host,
            .pid = identity->pid,
            .since = std::chrono::system_clock::time_point{std::chrono::seconds{identity->since}},
            .is_alive = false};
}

}  // namespace podctl
