#pragma once

#include "podctl/base/digest.hpp"

#include "support/temp_dir.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

namespace podctl::e2e {

// Every podctl of a test program has its pods' own folders in one that is gone at the end.
class LocalFolder : public testing::Environment {
public:
    void SetUp() override {
        folder_.emplace();
        // As long as it is root's alone, those who become somebody else cannot reach their own.
        std::filesystem::permissions(folder_->path(), std::filesystem::perms{01777});
        ::setenv("PODCTL_LOCAL", folder_->path().c_str(), 1);
    }
    void TearDown() override { folder_.reset(); }

private:
    std::optional<test::TempDir> folder_;
};
inline const testing::Environment* const local_folder =
    testing::AddGlobalTestEnvironment(new LocalFolder);

// The own folder of the pod in `root` (spec §7).
inline std::filesystem::path own_folder(const std::filesystem::path& root) {
    const auto path = std::filesystem::weakly_canonical(root);
    return std::filesystem::path{std::getenv("PODCTL_LOCAL")} /
           fmt::format("{}-{}", path.filename().string(), sha256_hex(path.string()).substr(0, 8));
}

}  // namespace podctl::e2e
