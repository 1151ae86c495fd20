#include "local_file.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/url.hpp"

#include <algorithm>
#include <string_view>
#include <system_error>

namespace podctl::python {

namespace fs = std::filesystem;

fs::path resolved(const fs::path& path) {
    std::error_code failed;  // then what reads it says why
    const fs::path real = fs::weakly_canonical(path, failed);
    return failed ? fs::absolute(path).lexically_normal() : real;
}

std::optional<fs::path> local_file(const std::string& target) {
    if (target.starts_with('/')) return target;
    const auto scheme = to_lower(target).find("file:");
    const bool is_file = scheme == 0 || (scheme != target.npos && target[scheme - 1] == '+');
    if (!is_file) return std::nullopt;
    std::string_view path = std::string_view{target}.substr(scheme + 5);
    if (path.starts_with("//")) path.remove_prefix(std::min(path.find('/', 2), path.size()));
    return percent_decode(path.substr(0, path.find_first_of("?#")));
}

}  // namespace podctl::python
