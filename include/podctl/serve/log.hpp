#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The log files of a pod (LogFile): <state>/logs/<service>.log.
namespace podctl::serve {

struct LogLine {
    std::string service, time, text;  // time: 2026-01-31T12:00:00.123Z
};

// podctl's own log, beside those of its services.
constexpr std::string_view podctl_log = "podctl";

// The services that have a log, sorted, without podctl. Throws Error{io}.
std::vector<std::string> logged_services(const std::filesystem::path& logs);

// Reads the logs of services together, in the order of their times, from the oldest file on and
// over every rotation. next() ends at what is written now; called again later, it goes on.
class LogReader {
public:
    // Of these services, or of all that have a log by then (none named).
    LogReader(std::filesystem::path logs, std::vector<std::string> services);
    ~LogReader();
    LogReader(const LogReader&) = delete;
    LogReader& operator=(const LogReader&) = delete;

    // Leaves out all but the last `count` lines of each, as far as there are logs now.
    void skip_to_last(std::size_t count);
    std::optional<LogLine> next();

private:
    class File;
    void look_for_services();

    std::filesystem::path logs_;
    const bool all_;
    std::vector<std::unique_ptr<File>> files_;
};

}  // namespace podctl::serve
