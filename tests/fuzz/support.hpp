#pragma once

#include "podctl/base/file.hpp"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

// What the fuzz targets share.
namespace podctl::fuzz {

// A fault that the fuzzer must see, whatever NDEBUG says.
inline void expect(bool holds) {
    if (!holds) std::abort();
}

// The first byte chooses one of `readers`, so that one run covers them all; the rest is its input.
template <std::size_t count>
void dispatch(void (*const (&readers)[count])(std::string_view), const std::uint8_t* data,
              std::size_t size) {
    if (size == 0) return;
    readers[data[0] % count]({reinterpret_cast<const char*>(data) + 1, size - 1});
}

// A folder of this process alone, for readers that take a path. It goes when the process ends.
class Scratch {
public:
    Scratch() {
        std::string name = std::filesystem::temp_directory_path() / "podctl-fuzz-XXXXXX";
        expect(::mkdtemp(name.data()) != nullptr);
        folder_ = name;
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() { remove_tree(folder_); }

    const std::filesystem::path& folder() const { return folder_; }
    // The file `name` in it, with this content.
    std::filesystem::path file(const std::string& name, std::string_view content) const {
        const auto path = folder_ / name;
        std::filesystem::remove(path);
        write_file_atomically(path, content);
        return path;
    }

private:
    std::filesystem::path folder_;
};

inline const Scratch& scratch() {
    static const Scratch one;
    return one;
}

}  // namespace podctl::fuzz
