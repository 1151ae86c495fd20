#include "podctl/base/home.hpp"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <system_error>

namespace podctl {

std::filesystem::path home_of(uid_t user) {
    std::error_code failed;
    passwd entry{};
    passwd* found = nullptr;
    std::array<char, 16384> texts{};
    if (::getpwuid_r(user, &entry, texts.data(), texts.size(), &found) != 0 || found == nullptr ||
        !std::filesystem::is_directory(found->pw_dir, failed))
        return {};
    return found->pw_dir;
}

std::filesystem::path home_folder() {
    std::error_code failed;
    const char* home = std::getenv("HOME");
    if (home != nullptr && std::filesystem::is_directory(home, failed)) return home;
    return home_of(::geteuid());
}

}  // namespace podctl
