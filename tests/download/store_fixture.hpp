#pragma once

#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"
#include "podctl/download/store.hpp"
#include "podctl/download/store_care.hpp"

#include "support/temp_dir.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

namespace podctl::download {

// A store, and a root beside it.
class StoreTest : public testing::Test {
protected:
    static FileIdentity identity(const std::filesystem::path& path) {
        struct stat status {};
        EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
        return {.device = status.st_dev, .inode = status.st_ino};
    }
    static unsigned mode_of(const std::filesystem::path& path) {
        return static_cast<unsigned>(std::filesystem::status(path).permissions());
    }
    // As a download leaves it.
    Store::Verified verified(const std::string& bytes, const std::string& name = "m.bin") const {
        const auto path = dir / "came.part";
        write_file_atomically(path, bytes);
        return {
            .path = path, .sha256 = sha256_hex(bytes), .identity = identity(path), .name = name};
    }
    StoredFile put(const std::string& bytes = "weights") const {
        return store.take(verified(bytes), {});
    }
    std::optional<LinkKind> link(const StoredFile& file, const std::filesystem::path& target,
                                 const StoreUser& user = this_machine()) const {
        const auto linked = store.link(file, target, user, {});
        return linked ? std::optional{linked->kind} : std::nullopt;
    }
    Store::Seen find(const std::string& sha256) const {
        return store.find(sha256, Store::Trust::by_stamp, {});
    }
    // Bytes of the same number, and the time that was noted.
    static void damage(const std::filesystem::path& path, const std::string& bytes) {
        const auto time = std::filesystem::last_write_time(path);
        std::filesystem::permissions(path, std::filesystem::perms{0644});
        write_all(Fd{::open(path.c_str(), O_WRONLY | O_CLOEXEC)}.get(), bytes, path);
        std::filesystem::last_write_time(path, time);
    }
    StorePruned prune(StorePruning pruning = {.keep = std::chrono::milliseconds{0}}) const {
        return prune_store(store, pruning, {});
    }

    test::TempDir dir;
    const std::filesystem::path root = dir / "root", place = dir / "root/models/m.bin";
    const Store store{dir / "store", Missing::make};
};

}  // namespace podctl::download
