#include "partial_file.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "support/in_memory.hpp"
#include "support/random_bytes.hpp"
#include "support/temp_dir.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <random>

namespace podctl::download {
namespace {

constexpr std::size_t block_size = 64 << 10;
const std::string written = test::random_bytes(50 * block_size + 777, 3);

class Partial : public testing::Test {
protected:
    void write(PartialFile& file, std::uint64_t offset, std::size_t size) {
        auto block = pool.take();
        std::memcpy(block.data(), written.data() + offset, size);
        file.write(std::move(block), offset, size);
    }
    std::vector<std::uint64_t> offsets() const {
        std::vector<std::uint64_t> all;
        for (std::uint64_t at = 0; at < written.size(); at += block_size)
            all.push_back(at);
        return all;
    }
    void write_at(PartialFile& file, std::uint64_t offset) {
        write(file, offset, std::min<std::size_t>(block_size, written.size() - offset));
    }

    BlockPool pool{block_size, 16};
    test::TempDir dir;
};

TEST_F(Partial, HashesBlocksThatComeInOrder) {
    PartialFile file(dir / "p", pool);
    for (const auto offset : offsets())
        write_at(file, offset);
    EXPECT_EQ(file.finish(written.size(), {}), sha256_hex(written));
    EXPECT_TRUE(read_file(dir / "p") == written);
}

// A tenant of a shared folder could write to what was verified.
TEST_F(Partial, ThatOthersMayWriteIsMadeAnew) {
    write_file_atomically(dir / "p", "theirs");
    ::chmod((dir / "p").c_str(), 0666);
    const Fd theirs{::open((dir / "p").c_str(), O_RDWR | O_CLOEXEC)};
    PartialFile file(dir / "p", pool);
    EXPECT_EQ(file.found_size(), 0u);
    EXPECT_FALSE(file.is_same_file(theirs.get()));
}

TEST_F(Partial, ThatHasASecondNameIsMadeAnewAndTheOtherOneStays) {
    write_file_atomically(dir / "precious", "precious");
    std::filesystem::create_hard_link(dir / "precious", dir / "p");
    std::filesystem::create_hard_link(dir / "precious", dir / "p.ctl.new");
    PartialFile file(dir / "p", pool);
    file.describe({.source = "s"});
    write_at(file, 0);
    file.flush();
    EXPECT_EQ(read_file(dir / "precious"), "precious");
}

TEST_F(Partial, ThatIsAnotherUsersLinkIsMadeAnewAndNothingIsFollowed) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    std::filesystem::create_symlink("elsewhere", dir / "p");
    ASSERT_EQ(::lchown((dir / "p").c_str(), 65534, 65534), 0);
    std::filesystem::create_symlink("elsewhere", dir / "p.ctl.new");
    PartialFile file(dir / "p", pool);
    file.describe({.source = "s"});
    write_at(file, 0);
    file.flush();
    EXPECT_FALSE(std::filesystem::exists(dir / "elsewhere"));
}

TEST_F(Partial, OfAnotherUserIsMadeAnew) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    constexpr uid_t nobody = 65534;
    write_file_atomically(dir / "p", "theirs");
    ASSERT_EQ(::chown((dir / "p").c_str(), nobody, nobody), 0);
    PartialFile file(dir / "p", pool);
    EXPECT_EQ(file.found_size(), 0u);
    struct stat status {};
    ASSERT_EQ(::stat((dir / "p").c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 0u);
}

TEST_F(Partial, IsTheUsersAloneUntilItIsWhole) {
    const mode_t before = ::umask(0);
    PartialFile file(dir / "p", pool);
    const auto mode = [&] { return std::filesystem::status(dir / "p").permissions(); };
    EXPECT_EQ(mode(), std::filesystem::perms{0600});
    file.describe({.source = "s"});
    for (const auto offset : offsets())
        write_at(file, offset);
    file.flush();
    EXPECT_EQ(std::filesystem::status(dir / "p.ctl").permissions(), std::filesystem::perms{0600});
    file.finish(written.size(), {});
    EXPECT_EQ(mode(), std::filesystem::perms{0644});
    ::umask(before);
}

TEST_F(Partial, WhatOthersMayHaveWrittenIsNoRecordOfIt) {
    {
        PartialFile file(dir / "p", pool);
        file.describe({.source = "s"});
        write_at(file, 0);
        file.flush();
    }
    ASSERT_TRUE(ControlFile::load(dir / "p"));
    ::chmod((dir / "p.ctl").c_str(), 0666);
    EXPECT_FALSE(ControlFile::load(dir / "p"));
}

TEST_F(Partial, HashesBlocksThatComeInAnyOrder) {
    for (const auto order : {PartialFile::Order::sequential, PartialFile::Order::scattered}) {
        for (unsigned seed = 0; seed < 8; ++seed) {
            PartialFile file(dir / "p", pool);
            file.restart();
            file.expect(order);
            auto all = offsets();
            std::shuffle(all.begin(), all.end(), std::mt19937{seed});
            for (const auto offset : all)
                write_at(file, offset);
            EXPECT_EQ(file.finish(written.size(), {}), sha256_hex(written));
            EXPECT_TRUE(read_file(dir / "p") == written);
        }
    }
}

TEST_F(Partial, ThatIsKeptInTheCacheIsReadFromThere) {
    PartialFile file(dir / "p", pool);
    file.keep_in_cache();
    for (const auto offset : offsets())
        write_at(file, offset);
    EXPECT_EQ(file.finish(written.size(), {}), sha256_hex(written));
    EXPECT_EQ(test::bytes_in_memory(dir / "p"), written.size());
}

TEST_F(Partial, GoesOnFromWhatIsOnRecord) {
    {
        PartialFile file(dir / "p", pool);
        file.describe({.source = "s"});
        write_at(file, 0);
        write_at(file, 4 * block_size);
        file.flush();
    }
    const auto earlier = ControlFile::load(dir / "p");
    ASSERT_TRUE(earlier);
    PartialFile file(dir / "p", pool);
    file.take_over(earlier->have);
    EXPECT_EQ(file.have().spans(),
              (std::vector<ByteSpan>{{0, block_size}, {4 * block_size, 5 * block_size}}));
    for (const auto offset : offsets())
        if (offset != 0 && offset != 4 * block_size) write_at(file, offset);
    EXPECT_EQ(file.finish(written.size(), {}), sha256_hex(written));
}

TEST_F(Partial, TakesOverOnlyWholePartsThatAreThere) {
    write_file_atomically(dir / "p", written.substr(0, 10'000));
    PartialFile file(dir / "p", pool);
    RangeSet have{{100, 5000}};
    have.add({8000, 9000});
    have.add({9500, 20'000});
    file.take_over(have);
    // [100, 5000) has no whole part that begins and ends in it; the last one ends with the file.
    EXPECT_EQ(file.have(), RangeSet{});
    file.take_over(RangeSet{{0, 20'000}});
    EXPECT_EQ(file.have(), (RangeSet{{0, 10'000}}));
}

TEST_F(Partial, LeavesNoRecordOfOtherBytesWhenItStartsAnew) {
    PartialFile file(dir / "p", pool);
    file.describe({.source = "s"});
    write_at(file, 0);
    file.flush();
    EXPECT_TRUE(ControlFile::load(dir / "p"));
    file.restart();
    EXPECT_FALSE(ControlFile::load(dir / "p"));
    EXPECT_EQ(read_file(dir / "p"), "");
    for (const auto offset : offsets())
        write_at(file, offset);
    EXPECT_EQ(file.finish(written.size(), {}), sha256_hex(written));
}

TEST_F(Partial, DoesNotCallAFileWithAHoleWhole) {
    PartialFile file(dir / "p", pool);
    write_at(file, block_size);
    EXPECT_THROW(file.finish(2 * block_size, {}), Error);
}

}  // namespace
}  // namespace podctl::download
