#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace podctl::test {

struct ArchiveEntry {
    std::string name = {};
    std::string data = {};
};

enum class ArchiveFormat { zip, tar, tar_gz };

void write_archive(const std::filesystem::path& path, ArchiveFormat format,
                   const std::vector<ArchiveEntry>& entries);

// One file, packed.
std::string gzip(const std::string& bytes);
std::string zstd(const std::string& bytes);

}  // namespace podctl::test
