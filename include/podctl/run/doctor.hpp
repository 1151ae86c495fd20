#pragma once

#include <string>
#include <vector>

// What `podctl doctor` tells, and what `up` looks at before it spends a byte.
namespace podctl::run {

struct Finding {
    enum class Grade { ok, warn, fail };

    std::string check;  // "gpu", "volume", "port 9000", …
    Grade grade = Grade::ok;
    std::string message;
    std::string remedy = {};  // of a warning or a failure

    friend bool operator==(const Finding&, const Finding&) = default;
};
using Findings = std::vector<Finding>;

const char* word_of(Finding::Grade grade);  // "ok", "warn", "fail"

}  // namespace podctl::run
