#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace podctl::serve {

// Splits a service's output into lines. A longer one comes in pieces, cut where no word is: a
// secret or a URL in two pieces could not be redacted.
class OutputLines {
public:
    static constexpr std::size_t max_line = 16u << 10;

    explicit OutputLines(std::function<void(std::string_view)> on_line);
    void feed(std::string_view bytes);
    void finish();  // hands over a last line without an end

private:
    void hand_over_pieces();

    std::function<void(std::string_view)> on_line_;
    std::string pending_;
    bool after_return_ = false;
};

// A log file with time stamps, rotated. What cannot be written (a full disk) must not end a
// service, so it is told once and dropped until open() is called again.
class ServiceLog {
public:
    ServiceLog(std::filesystem::path file, std::function<void(const std::string&)> on_problem);
    ~ServiceLog();
    ServiceLog(const ServiceLog&) = delete;
    ServiceLog& operator=(const ServiceLog&) = delete;

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

}  // namespace podctl::serve
