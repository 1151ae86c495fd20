#include "wheel_tags.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/text.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace podctl::python {

namespace {

// 311 of "3.11.7", and of "311" in "cp311"; 300 of the "3" in "py3"; 0: no version.
int python_number(std::string_view digits) {
    if (digits.empty() || !std::ranges::all_of(digits, is_digit)) return 0;
    int minor = 0;
    std::from_chars(digits.data() + 1, digits.data() + digits.size(), minor);
    return (digits[0] - '0') * 100 + minor;
}

int python_number_of_version(const std::string& version) {
    const auto parts = split(version, '.');
    return parts.size() < 2 ? 0 : python_number(parts[0] + parts[1]);
}

bool python_fits(const std::string& tag, std::string_view abi, int here) {
    const int wanted =
        python_number(std::string_view{tag}.substr(std::min<std::size_t>(2, tag.size())));
    if (tag.starts_with("py")) return wanted >= 300 && wanted <= here;
    if (!tag.starts_with("cp")) return false;
    return wanted == here || (wanted < here && abi.find("abi3") != std::string_view::npos);
}

bool platform_fits(const std::string& tag) {
    if (tag == "any") return true;
    utsname names{};
    if (::uname(&names) != 0) return true;
    return tag.find("linux") != std::string::npos &&
           tag.ends_with(std::string{"_"} + names.machine);
}

}  // namespace

std::optional<std::string> foreign_wheel(std::string_view address, std::string_view version) {
    address = address.substr(0, address.find_first_of("?#"));
    if (!address.ends_with(".whl")) return std::nullopt;
    address.remove_suffix(4);
    const auto parts = split(address.substr(address.rfind('/') + 1), '-');
    if (parts.size() < 5) return std::nullopt;
    const std::string &pythons = parts[parts.size() - 3], &abi = parts[parts.size() - 2],
                      &platforms = parts.back();
    const int here = python_number_of_version(std::string{version});
    const bool fits =
        std::ranges::any_of(split(pythons, '.'),
                            [&](const auto& tag) { return python_fits(tag, abi, here); }) &&
        std::ranges::any_of(split(platforms, '.'), platform_fits);
    if (fits || here == 0) return std::nullopt;
    return fmt::format("{}-{}-{}", pythons, abi, platforms);
}

}  // namespace podctl::python
