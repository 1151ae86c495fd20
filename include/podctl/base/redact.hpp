#pragma once

#include "podctl/base/secret.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace podctl {

// Takes secrets out of text that leaves the program: the value of every known secret becomes "***",
// and so does the query of a presigned URL (X-Amz-…, Signature, sig, token, Policy, Expires, …) and
// the password of a URL. Immutable once it is shared, so any thread may call it.
class Redactor {
public:
    Redactor() = default;
    // Values shorter than 4 bytes are left alone: they would turn all output to stars.
    explicit Redactor(const std::vector<Secret>& secrets);

    std::string operator()(std::string_view text) const;

private:
    std::vector<std::string> values_;
};

}  // namespace podctl
