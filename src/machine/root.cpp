#include "root.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"

#include <unistd.h>

#include <algorithm>
#include <string_view>

namespace podctl::machine {

namespace fs = std::filesystem;

namespace {

struct Mount {
    fs::path point;
    std::string filesystem;
};

// The kernel writes space, tab, newline and backslash as \ooo.
std::string unescaped(std::string_view text) {
    const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape = text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) &&
                            is_octal(text[i + 2]) && is_octal(text[i + 3]);
        if (!escape) {
            result += text[i];
            continue;
        }
        result += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                    (text[i + 3] - '0'));
        i += 3;
    }
    return result;
}

// The mount that `path` (canonical) lies on: the deepest, and of several at one place the last.
// proc(5): "36 35 98:0 /root /point options optional... - type source super-options".
Mount mount_of(const fs::path& path, const fs::path& mountinfo) {
    Mount best;
    for (const std::string& line : split(read_file_if_exists(mountinfo).value_or(""), '\n')) {
        const auto fields = split(line, ' ');
        const auto dash = std::find(fields.begin(), fields.end(), "-");
        if (fields.size() < 7 || fields.end() - dash < 2) continue;
        const fs::path point = unescaped(fields[4]);
        if (!is_inside(path, point)) continue;
        if (point.native().size() >= best.point.native().size())
            best = {.point = point, .filesystem = *(dash + 1)};
    }
    return best;
}

}  // namespace

Root inspect_root(const fs::path& path, const fs::path& mountinfo) {
    std::error_code ignored;
    const fs::path existing = nearest_existing(path);
    Root root;
    root.exists = fs::is_directory(path.empty() ? "." : path, ignored);
    root.writable =
        fs::is_directory(existing, ignored) && ::access(existing.c_str(), W_OK | X_OK) == 0;
    std::error_code error;
    const fs::path canonical = fs::canonical(existing, error);
    const Mount mount = mount_of(error ? existing : canonical, mountinfo);
    root.is_mount = !mount.point.empty() && mount.point != "/";
    root.filesystem = mount.filesystem;
    root.free = {free_space(existing)};
    return root;
}

Root inspect_root(const fs::path& root) {
    return inspect_root(root, "/proc/self/mountinfo");
}

}  // namespace podctl::machine
