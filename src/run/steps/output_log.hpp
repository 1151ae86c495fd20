#pragma once

#include "podctl/base/fd.hpp"
#include "podctl/base/redact.hpp"

#include <deque>
#include <filesystem>
#include <string>
#include <string_view>

namespace podctl::run {

// What a child of a step printed: all of it in a file, and the end of it for an error.
class OutputLog {
public:
    // Begins the file anew. Throws Error{io}.
    explicit OutputLog(std::filesystem::path path, Redactor redact = {});

    void add(std::string_view line);
    // The last 20 lines, indented.
    std::string tail() const;
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
    Redactor redact_;
    Fd fd_;
    std::deque<std::string> last_;
};

}  // namespace podctl::run
