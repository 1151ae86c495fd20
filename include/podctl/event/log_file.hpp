#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace podctl {

// A log file with time stamps, rotated: x.log, and x.1.log and x.2.log, which are older. What
// cannot be written (a full disk) must not end what is logged, so it is told once and dropped until
// open() is called again. Of one thread at a time.
class LogFile {
public:
    static constexpr std::size_t most_bytes = 10u << 20;
    static constexpr std::size_t old_ones = 2;
    // A time stamp and the space behind it: "2026-01-31T12:00:00.123Z ".
    static constexpr std::size_t stamp_size = 25;

    LogFile(std::filesystem::path file, std::function<void(const std::string&)> on_problem);
    ~LogFile();
    LogFile(const LogFile&) = delete;
    LogFile& operator=(const LogFile&) = delete;

    const std::filesystem::path& file() const { return file_; }
    void open();  // nothing to do when it is open
    void write(std::string_view line);
    void flush();

private:
    struct Sink;
    void give_up(const std::string& reason);

    std::filesystem::path file_;
    std::function<void(const std::string&)> on_problem_;
    std::unique_ptr<Sink> sink_;
};

}  // namespace podctl
