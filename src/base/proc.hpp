#pragma once

#include <sys/types.h>

#include <charconv>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>

// /proc, for those who look at processes.
namespace podctl::proc {

std::filesystem::path path_of(pid_t pid, const char* name);

// A process may end between open and read, which then fails with ESRCH; another user's cannot be
// read: nullopt.
std::optional<std::string> read(pid_t pid, const char* name);

// Hands the ids of processes to `visit` until it says true. True as well where /proc cannot be
// read.
template <typename Visit>
bool any_process(const Visit& visit) {
    std::error_code error;
    for (std::filesystem::directory_iterator entry{"/proc", error}, end; !error && entry != end;
         entry.increment(error)) {
        const auto name = entry->path().filename().string();
        pid_t pid = 0;
        std::from_chars(name.data(), name.data() + name.size(), pid);
        if (pid > 0 && visit(pid)) return true;
    }
    return static_cast<bool>(error);
}

}  // namespace podctl::proc
