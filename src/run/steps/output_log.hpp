#pragma once

#include "podctl/base/fd.hpp"
#include "podctl/event/redact.hpp"

#include <deque>
#include <filesystem>
#include <string>
#include <string_view>

namespace podctl::run {

// What a child of a step printed: in a file that people look at, so that no terminal obeys what is
// in it, and the end of it for an error. A child that prints without end does not fill the disk:
// what is older than the last 8 to 16 MiB is dropped.
class OutputLog {
public:
    static constexpr std::size_t max_file = 8u << 20;

    // Begins the file anew. Throws Error{io}.
    explicit OutputLog(std::filesystem::path path, Redactor redact = {});

    void add(std::string_view line);
    // The last 20 lines, indented, each of 1000 bytes at most.
    std::string tail() const;
    // The newest; what was before it is in <name>.1.log.
    const std::filesystem::path& path() const { return path_; }

private:
    void open();
    std::filesystem::path older() const;

    std::filesystem::path path_;
    Redactor redact_;
    Fd fd_;
    std::size_t size_ = 0;
    std::deque<std::string> last_;
};

}  // namespace podctl::run
