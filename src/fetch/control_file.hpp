#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace podctl::fetch {

// What is known of the bytes in a partial file: enough to ask for the rest of the same file, and
// nothing that is secret.
struct ControlFile {
    std::string source = {};           // digest of the URL: its query may hold a signature
    std::string expected_sha256 = {};  // of the request that began it
    std::string etag = {};
    std::string last_modified = {};
    std::optional<std::uint64_t> size = {};
    std::string server_name = {};

    friend bool operator==(const ControlFile&, const ControlFile&) = default;
};

std::filesystem::path control_path(const std::filesystem::path& partial);

// nullopt: there is none, or it cannot be read as one (then the partial file is worth nothing).
std::optional<ControlFile> load_control(const std::filesystem::path& partial);
void save_control(const std::filesystem::path& partial, const ControlFile& control);
void remove_control(const std::filesystem::path& partial);

}  // namespace podctl::fetch
