#include "podctl/base/read_ahead.hpp"

#include "podctl/base/fd.hpp"
#include "podctl/base/file.hpp"

#include "support/temp_dir.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace podctl {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t size = 3u << 20;

fs::path file_in(const fs::path& folder, const std::string& name) {
    write_file_atomically(folder / name, std::string(size, 'x'));
    return folder / name;
}

// How many of a file's bytes are in memory.
std::size_t cached(const fs::path& file) {
    const Fd opened{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
    void* const mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, opened.get(), 0);
    EXPECT_NE(mapped, MAP_FAILED);
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    std::vector<unsigned char> pages(size / page);
    EXPECT_EQ(::mincore(mapped, size, pages.data()), 0);
    ::munmap(mapped, size);
    std::size_t found = 0;
    for (const unsigned char it : pages)
        found += it & 1u ? page : 0;
    return found;
}

std::shared_ptr<CacheRoom> room_of(std::uint64_t bytes) {
    return std::make_shared<CacheRoom>([bytes] { return 2 * bytes; });
}

void drop(const fs::path& file) {
    const Fd opened{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
    EXPECT_EQ(::fsync(opened.get()), 0);
    EXPECT_EQ(::posix_fadvise(opened.get(), 0, 0, POSIX_FADV_DONTNEED), 0);
}

TEST(ReadAhead, BringsFilesIntoMemory) {
    const test::TempDir dir;
    const std::vector<fs::path> files{file_in(dir.path(), "a"), file_in(dir.path(), "b")};
    for (const auto& file : files)
        drop(file);
    ReadAhead ahead{room_of(100u << 20)};
    ahead.add(std::span{files}.first(1));
    ahead.add(std::span{files}.last(1));
    EXPECT_EQ(ahead.wait(), 2 * size);
    for (const auto& file : files)
        EXPECT_EQ(cached(file), size);
}

TEST(ReadAhead, ReadsNoFileThatDoesNotFitIntoTheRoom) {
    const test::TempDir dir;
    const std::vector<fs::path> files{file_in(dir.path(), "a"), file_in(dir.path(), "b")};
    ReadAhead ahead{room_of(size + size / 2)};
    ahead.add(files);
    EXPECT_EQ(ahead.wait(), size);
}

// What was downloaded before has its part of it, and is not counted again.
TEST(ReadAhead, SharesTheRoomWithOthers) {
    const test::TempDir dir;
    const std::vector<fs::path> files{file_in(dir.path(), "a"), file_in(dir.path(), "b")};
    struct stat status {};
    ASSERT_EQ(::stat(files[0].c_str(), &status), 0);
    const auto room = room_of(size + size / 2);
    ASSERT_TRUE(room->take({.device = status.st_dev, .inode = status.st_ino}, size));
    ReadAhead ahead{room};
    ahead.add(files);
    EXPECT_EQ(ahead.wait(), size);  // a
}

TEST(ReadAhead, PassesOverWhatIsNoFile) {
    const test::TempDir dir;
    ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
    fs::create_directory(dir / "folder");
    const std::vector<fs::path> files{dir / "fifo", dir / "folder", dir / "nothing",
                                      file_in(dir.path(), "a")};
    ReadAhead ahead{room_of(100u << 20)};
    ahead.add(files);
    EXPECT_EQ(ahead.wait(), size);
}

TEST(ReadAhead, EndsWithoutHavingReadAll) {
    const test::TempDir dir;
    const Fd endless{::open((dir / "sparse").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)};
    ASSERT_EQ(::ftruncate(endless.get(), off_t{1} << 40), 0);
    const std::vector<fs::path> files{dir / "sparse"};
    ReadAhead ahead{room_of(std::uint64_t{2} << 40)};
    ahead.add(files);
}

}  // namespace
}  // namespace podctl
