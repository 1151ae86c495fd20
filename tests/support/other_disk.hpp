#pragma once

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace podctl::test {

// A fresh folder on another file system than TempDir's: memory. Gone at the end of the test.
class OtherDisk {
public:
    OtherDisk() {
        std::string name = "/dev/shm/podctl-test-XXXXXX";
        const char* made = ::mkdtemp(name.data());
        if (made != nullptr) path_ = made;
    }
    ~OtherDisk() {
        std::error_code ignored;
        if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
    }
    OtherDisk(const OtherDisk&) = delete;
    OtherDisk& operator=(const OtherDisk&) = delete;

    // False: this machine has no such file system, or temporary files lie there, too.
    explicit operator bool() const {
        struct stat here {
        }, there{};
        return !path_.empty() && ::stat(path_.c_str(), &here) == 0 &&
               ::stat(std::filesystem::temp_directory_path().c_str(), &there) == 0 &&
               here.st_dev != there.st_dev;
    }
    std::filesystem::path operator/(const std::filesystem::path& name) const {
        return path_ / name;
    }

private:
    std::filesystem::path path_;
};

}  // namespace podctl::test
