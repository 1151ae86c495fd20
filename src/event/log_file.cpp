#include "podctl/event/log_file.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/trust.hpp"

#include <fcntl.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace podctl {

namespace {

// A file that another user may have written to, or that has another name elsewhere, gives way to a
// new one. Returns why no log can be written there; empty: it can.
std::string make_way_for(const Place& place) {
    const Fd there{
        ::openat(place.folder.get(), place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
    if (!there) return {};
    struct stat status {};
    if (::fstat(there.get(), &status) != 0 || !S_ISREG(status.st_mode)) return "that is no file";
    const auto reason = reason_to_distrust_file(there.get(), place.folder.get());
    if (reason.empty() || ::unlinkat(place.folder.get(), place.name.c_str(), 0) == 0) return {};
    return "it " + reason;
}

}  // namespace

struct LogFile::Sink {
    // By way of the open folder: its path may lead elsewhere by now.
    explicit Sink(Place where)
        : place{std::move(where)},
          sink{path_through(place.folder, place.name).string(), LogFile::most_bytes,
               LogFile::old_ones, false, handlers()} {
        sink.set_formatter(std::make_unique<spdlog::pattern_formatter>(
            "%Y-%m-%dT%H:%M:%S.%eZ %v", spdlog::pattern_time_type::utc));
    }

    // spdlog opens without O_CLOEXEC, and services must not inherit each other's logs. What one
    // says is nobody else's to read.
    static spdlog::file_event_handlers handlers() {
        spdlog::file_event_handlers handlers;
        handlers.after_open = [](const spdlog::filename_t&, std::FILE* stream) {
            ::fcntl(::fileno(stream), F_SETFD, FD_CLOEXEC);
            static_cast<void>(::fchmod(::fileno(stream), 0600));
        };
        return handlers;
    }

    Place place;
    spdlog::sinks::rotating_file_sink_st sink;
};

LogFile::LogFile(std::filesystem::path file, std::function<void(const std::string&)> on_problem)
    : file_{std::move(file)}, on_problem_{std::move(on_problem)} {}

LogFile::~LogFile() = default;

void LogFile::open() {
    if (sink_) return;
    try {
        create_folders(file_.parent_path());
        Place place = place_beneath(file_, Missing::fail);
        if (!place.folder) throw system_error("cannot open its folder", errno);
        // spdlog follows a link to wherever it leads, and waits for the reader of a pipe.
        if (const auto reason = make_way_for(place); !reason.empty()) return give_up(reason);
        sink_ = std::make_unique<Sink>(std::move(place));
    } catch (const std::exception& error) {
        give_up(error.what());
    }
}

void LogFile::write(std::string_view line) {
    if (!sink_) return;
    try {
        sink_->sink.log({spdlog::string_view_t{}, spdlog::level::info,
                         spdlog::string_view_t{line.data(), line.size()}});
    } catch (const spdlog::spdlog_ex& error) {
        give_up(error.what());
    }
}

void LogFile::flush() {
    if (!sink_) return;
    try {
        sink_->sink.flush();
    } catch (const spdlog::spdlog_ex& error) {
        give_up(error.what());
    }
}

void LogFile::give_up(const std::string& reason) {
    sink_.reset();
    on_problem_("no log is written to " + file_.string() + ": " + reason);
}

}  // namespace podctl
