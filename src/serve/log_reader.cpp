#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/event/log_file.hpp"
#include "podctl/serve/log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <iterator>
#include <utility>

namespace podctl::serve {

namespace {

namespace fs = std::filesystem;

struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;

    bool is_same_file(const Identity& other) const {
        return device == other.device && inode == other.inode;
    }
};

Identity identity_of(const Fd& file) {
    struct stat found {};
    if (::fstat(file.get(), &found) != 0) throw system_error("cannot read a log", errno);
    return {found.st_dev, found.st_ino, found.st_size};
}

// Invalid: it is not there, or no file: a link leads to what is no log, and a pipe's writer may
// never come.
Fd open_if_exists(const fs::path& path) {
    Fd file = open_beneath(path, O_RDONLY | O_NONBLOCK);
    if (!file && (errno == ENOENT || errno == ELOOP || errno == ENXIO)) return {};
    if (!file) throw system_error("cannot read " + path.string(), errno);
    struct stat found {};
    const bool is_file = ::fstat(file.get(), &found) == 0 && S_ISREG(found.st_mode);
    return is_file ? std::move(file) : Fd{};
}

bool is_stamp(std::string_view text) {
    constexpr std::string_view form = "0000-00-00T00:00:00.000Z ";
    static_assert(form.size() == LogFile::stamp_size);
    return text.size() >= form.size() &&
           std::equal(form.begin(), form.end(), text.begin(), [](char wanted, char found) {
               return wanted == '0' ? found >= '0' && found <= '9' : wanted == found;
           });
}

// "web" of "web.log"; empty: it is an older file of a log, or none.
std::string service_of_file(const fs::path& path) {
    const auto name = path.filename().string();
    if (!name.ends_with(".log")) return {};
    auto stem = name.substr(0, name.size() - 4);
    return stem.find('.') == std::string::npos ? stem : std::string{};
}

}  // namespace

// The log of one service. Every file that is still to be read is held open, so that a rotation
// cannot take it away.
class LogReader::File {
public:
    File(const fs::path& logs, std::string service)
        : base_{logs / service}, service_{std::move(service)} {}

    const std::string& service() const { return service_; }

    // The next whole line, which stays the next until it is taken; null: none is there now.
    const LogLine* peek() {
        if (next_.empty()) {
            if (auto line = read()) next_.push_back(std::move(*line));
        }
        return next_.empty() ? nullptr : &next_.front();
    }
    LogLine take() {
        auto line = std::move(next_.front());
        next_.pop_front();
        return line;
    }

    void skip_to_last(std::size_t count) {
        while (auto line = read()) {
            next_.push_back(std::move(*line));
            if (next_.size() > count) next_.pop_front();
        }
    }

private:
    std::optional<LogLine> read() {
        do {
            const auto end = pending_.find('\n', line_begin_);
            if (end != pending_.npos) return line_up_to(end);
            pending_.erase(0, std::exchange(line_begin_, 0));
        } while (fill() || advance());
        return std::nullopt;
    }

    LogLine line_up_to(std::size_t end) {
        std::string line = pending_.substr(line_begin_, end - line_begin_);
        line_begin_ = end + 1;
        if (is_stamp(line)) {
            last_time_ = line.substr(0, LogFile::stamp_size - 1);
            line.erase(0, LogFile::stamp_size);
        }
        return {service_, last_time_, std::move(line)};
    }

    // More of the file that is read now. False: it has no more, or there is none.
    bool fill() {
        if (files_.empty()) return false;
        std::array<char, 65536> block;
        const auto got = ::pread(files_.front().get(), block.data(), block.size(), offset_);
        if (got < 0) throw system_error("cannot read the log of " + service_, errno);
        offset_ += got;
        pending_.append(block.data(), static_cast<std::size_t>(got));
        return got > 0;
    }

    // To be called at the end of the file: looks for one behind it, and goes on to it once the
    // file has nothing more, which its rotation makes sure of. False: there is none yet.
    bool advance() {
        if (files_.size() < 2) {
            const bool reads_one = !files_.empty();
            open_newer();
            return reads_one && files_.size() == 1 ? restart_if_cut() : !files_.empty();
        }
        // What a full disk has cut off stands at the end of the file.
        if (!pending_.empty()) pending_ += '\n';
        files_.pop_front();
        offset_ = 0;
        return true;
    }

    // Somebody has emptied the file, as logrotate's copytruncate does.
    bool restart_if_cut() {
        if (identity_of(files_.front()).size >= offset_) return false;
        offset_ = 0;
        return true;
    }

    // The files behind the one that is read now. From the newest on: one that is rotated meanwhile
    // is met twice rather than missed.
    void open_newer() {
        std::deque<Fd> newer;
        for (std::size_t age = 0; age <= LogFile::old_ones; ++age) {
            Fd file = open_if_exists(age == 0 ? base_.string() + ".log"
                                              : fmt::format("{}.{}.log", base_.string(), age));
            if (!file) {
                if (age == 0 && !files_.empty()) return;  // in the middle of a rotation
                continue;
            }
            const auto found = identity_of(file);
            if (!files_.empty() && found.is_same_file(identity_of(files_.front()))) break;
            if (!newer.empty() && found.is_same_file(identity_of(newer.front()))) continue;
            newer.push_front(std::move(file));
        }
        std::ranges::move(newer, std::back_inserter(files_));
    }

    fs::path base_;
    std::string service_;
    std::deque<Fd> files_;  // the first is read now
    off_t offset_ = 0;
    std::string pending_;
    std::size_t line_begin_ = 0;
    std::string last_time_;
    std::deque<LogLine> next_;
};

std::vector<std::string> logged_services(const fs::path& logs) {
    std::vector<std::string> services;
    std::error_code error;
    for (fs::directory_iterator entry{logs, error}, end; !error && entry != end;
         entry.increment(error)) {
        auto service = service_of_file(entry->path());
        if (!service.empty() && service != podctl_log) services.push_back(std::move(service));
    }
    if (error && error != std::errc::no_such_file_or_directory)
        throw system_error("cannot read " + logs.string(), error.value());
    std::ranges::sort(services);
    return services;
}

LogReader::LogReader(fs::path logs, std::vector<std::string> services)
    : logs_{std::move(logs)}, all_{services.empty()} {
    for (auto& service : services)
        files_.push_back(std::make_unique<File>(logs_, std::move(service)));
    look_for_services();
}

LogReader::~LogReader() = default;

void LogReader::look_for_services() {
    if (!all_) return;
    for (auto& service : logged_services(logs_)) {
        if (std::ranges::find(files_, service, [](const auto& file) { return file->service(); }) ==
            files_.end())
            files_.push_back(std::make_unique<File>(logs_, std::move(service)));
    }
}

void LogReader::skip_to_last(std::size_t count) {
    for (const auto& file : files_)
        file->skip_to_last(count);
}

std::optional<LogLine> LogReader::next() {
    File* first = nullptr;
    for (const auto& file : files_) {
        const auto* line = file->peek();
        if (line && (!first || line->time < first->peek()->time)) first = file.get();
    }
    if (first) return first->take();
    look_for_services();
    return std::nullopt;
}

}  // namespace podctl::serve
