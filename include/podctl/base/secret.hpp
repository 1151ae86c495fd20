#pragma once

#include <string>
#include <utility>

namespace podctl {

// A value that must reach no output. It has no formatter and no operator<<; every use of reveal()
// is meant to be found by grep.
class Secret {
public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}

    bool empty() const { return value_.empty(); }
    const std::string& reveal() const { return value_; }

private:
    std::string value_;
};

}  // namespace podctl
