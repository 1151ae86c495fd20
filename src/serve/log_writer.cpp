#include "podctl/serve/log.hpp"

#include "log_files.hpp"

#include <fcntl.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/rotating_file_sink.h>

#include <cstdio>

namespace podctl::serve {

struct ServiceLog::Sink {
    explicit Sink(const std::filesystem::path& file)
        : sink{file.string(), max_log_size, old_logs, false, handlers()} {
        sink.set_formatter(std::make_unique<spdlog::pattern_formatter>(
            "%Y-%m-%dT%H:%M:%S.%eZ %v", spdlog::pattern_time_type::utc));
    }

    // spdlog opens without O_CLOEXEC, and services must not inherit each other's logs.
    static spdlog::file_event_handlers handlers() {
        spdlog::file_event_handlers handlers;
        handlers.after_open = [](const spdlog::filename_t&, std::FILE* stream) {
            ::fcntl(::fileno(stream), F_SETFD, FD_CLOEXEC);
        };
        return handlers;
    }

    spdlog::sinks::rotating_file_sink_st sink;
};

ServiceLog::ServiceLog(std::filesystem::path file,
                       std::function<void(const std::string&)> on_problem)
    : file_{std::move(file)}, on_problem_{std::move(on_problem)} {}

ServiceLog::~ServiceLog() = default;

void ServiceLog::open() {
    if (sink_) return;
    std::error_code ignored;
    const auto there = std::filesystem::symlink_status(file_, ignored).type();
    using enum std::filesystem::file_type;
    // spdlog follows a link to wherever it leads, and waits for the reader of a pipe.
    if (there != regular && there != not_found) return give_up("that is no file");
    try {
        sink_ = std::make_unique<Sink>(file_);
    } catch (const spdlog::spdlog_ex& error) {
        give_up(error.what());
    }
}

void ServiceLog::write(std::string_view line) {
    if (!sink_) return;
    try {
        sink_->sink.log({spdlog::string_view_t{}, spdlog::level::info,
                         spdlog::string_view_t{line.data(), line.size()}});
    } catch (const spdlog::spdlog_ex& error) {
        give_up(error.what());
    }
}

void ServiceLog::flush() {
    if (!sink_) return;
    try {
        sink_->sink.flush();
    } catch (const spdlog::spdlog_ex& error) {
        give_up(error.what());
    }
}

void ServiceLog::give_up(const std::string& reason) {
    sink_.reset();
    on_problem_("no log is written to " + file_.string() + ": " + reason);
}

}  // namespace podctl::serve
