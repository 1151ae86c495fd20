#pragma once

#include "podctl/base/secret.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace podctl {

// Takes secrets out of text that leaves the program: the value of every known secret, in whatever
// form (encoded, escaped, base64), becomes "***", and so do a query with a secret or a signature in
// it (is_secret_parameter()) and the password of a URL. Any thread may call it: it is immutable.
class Redactor {
public:
    Redactor() = default;
    // Values shorter than 4 bytes and words such as true are left alone: all would turn to stars.
    explicit Redactor(const std::vector<Secret>& secrets);

    std::string operator()(std::string_view text) const;

private:
    std::vector<std::string> values_;
};

}  // namespace podctl
