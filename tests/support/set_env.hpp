#pragma once

#include <cstdlib>
#include <optional>
#include <string>

namespace podctl::test {

// An environment variable for the time of a test; nullptr: unset.
class SetEnv {
public:
    SetEnv(std::string name, const char* value) : name_(std::move(name)) {
        if (const char* before = std::getenv(name_.c_str())) before_ = before;
        put(value);
    }
    ~SetEnv() { put(before_ ? before_->c_str() : nullptr); }
    SetEnv(const SetEnv&) = delete;
    SetEnv& operator=(const SetEnv&) = delete;

private:
    void put(const char* value) {
        if (value)
            ::setenv(name_.c_str(), value, 1);
        else
            ::unsetenv(name_.c_str());
    }

    std::string name_;
    std::optional<std::string> before_;
};

}  // namespace podctl::test
