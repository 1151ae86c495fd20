#include "podctl/base/file.hpp"
#include "podctl/base/process.hpp"

#include "fixture.hpp"
#include "support/raw_server.hpp"

#include <fmt/format.h>

#include <atomic>
#include <thread>

// A small pack of what is large.
namespace podctl::git {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string big_endian(std::uint32_t number) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8)
        bytes += static_cast<char>(number >> shift);
    return bytes;
}

// RFC 1950, in blocks that are not compressed.
std::string zlib_of(const std::string& bytes) {
    std::string out = "\x78\x01";
    std::uint32_t a = 1, b = 0;
    for (const char byte : bytes) {
        a = (a + static_cast<unsigned char>(byte)) % 65521;
        b = (b + a) % 65521;
    }
    constexpr std::size_t most = 65535;
    for (std::size_t at = 0; at < bytes.size(); at += most) {
        const std::string block = bytes.substr(at, most);
        out += at + most >= bytes.size() ? '\1' : '\0';
        for (const auto size : {block.size(), ~block.size()}) {
            out += static_cast<char>(size);
            out += static_cast<char>(size >> 8);
        }
        out += block;
    }
    return out + big_endian(b << 16 | a);
}

// gitformat-pack(5): seven bits a byte, the lowest first; an object's head has its type in the
// first.
std::string number(std::uint64_t value) {
    std::string bytes;
    for (; value > 127; value >>= 7)
        bytes += static_cast<char>(value | 128);
    return bytes += static_cast<char>(value);
}

std::string object_head(int type, std::uint64_t size) {
    const auto first = static_cast<unsigned>(type << 4) | static_cast<unsigned>(size & 15);
    if (size < 16) return {static_cast<char>(first)};
    return static_cast<char>(first | 128) + number(size >> 4);
}

std::string sha1_of(const std::string& bytes, const fs::path& scratch) {
    write_file_atomically(scratch, bytes);
    const auto result = run_captured({.argv = {"sha1sum", scratch.string()}}, {});
    std::string digest;
    for (std::size_t i = 0; i < 40; i += 2)
        digest += static_cast<char>(std::stoi(result.output.substr(i, 2), nullptr, 16));
    return digest;
}

// 64 KiB of a blob, and a delta that repeats them up to `size`: each 0x80 is one copy of them.
std::string delta_bomb(std::uint64_t size, const fs::path& scratch) {
    constexpr std::uint64_t base_size = 65536;
    const std::string base =
        object_head(3, base_size) + zlib_of(std::string(std::size_t{base_size}, '\0'));
    const std::string delta =
        number(base_size) + number(size) + std::string(std::size_t{size / base_size}, '\x80');
    // How far back the base is: the highest bits first, each number once.
    std::string back{static_cast<char>(base.size() & 127)};
    for (std::uint64_t rest = base.size(); (rest >>= 7) != 0;)
        back.insert(back.begin(), static_cast<char>(128 | (--rest & 127)));
    const std::string pack = "PACK" + big_endian(2) + big_endian(2) + base +
                             object_head(6, delta.size()) + back + zlib_of(delta);
    return pack + sha1_of(pack, scratch);
}

class Bomb : public GitTest {
protected:
    std::string make_tree(const std::string& listing) const {
        write_file_atomically(dir / "listing", listing);
        return work.git(
            {"-c", "alias.mk=!git mktree < '" + (dir / "listing").string() + "'", "mk"});
    }
    std::string tree_of(const std::string& mode_and_id, int count) const {
        std::string listing;
        for (int i = 0; i < count; ++i)
            listing += fmt::format("{}\tf{:05}\n", mode_and_id, i);
        return make_tree(listing);
    }
    void commit_tree(const std::string& tree) {
        const auto commit = work.git({"commit-tree", "-p", third, "-m", "bomb", tree});
        work.git({"update-ref", "refs/heads/main", commit});
        publish();
    }
    std::string zeros_blob(std::uintmax_t size) const {
        write_file_atomically(dir / "zeros", "");
        fs::resize_file(dir / "zeros", size);
        return work.git({"-c", "core.compression=1", "-c", "core.bigFileThreshold=1m",
                         "hash-object", "-w", (dir / "zeros").string()});
    }
};

TEST_F(Bomb, OfADeltaTakesNoMoreMemoryThanAFileMay) {
    const std::string id(40, 'a');
    const auto packet = [](const std::string& text) {
        return fmt::format("{:04x}{}", text.size() + 4, text);
    };
    const std::string refs = packet(id + " HEAD" + std::string(1, '\0') + "ofs-delta\n") +
                             packet(id + " refs/heads/main\n") + "0000";
    const std::string pack = delta_bomb(std::uint64_t{700} << 20, dir / "pack");
    const test::RawServer server{[&](test::RawConnection& client) {
        client.send(refs);
        if (client.read_to("done\n")) client.send(packet("NAK\n") + pack);
    }};
    const auto error = error_of([&] { clone_it("git" + server.url("/pack.git").substr(4)); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::git);
    EXPECT_THAT(error->message(), HasSubstr("MiB of memory at once"));
}

TEST_F(Bomb, OfOneFileIsRefused) {
    commit_tree(make_tree("100644 blob " + zeros_blob((512u << 20) + 1) + "\tzeros\n"));
    test::GitServer server{served()};
    const auto error = error_of([&] { clone_it(server.url("pack.git")); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::git);
    EXPECT_THAT(error->message(), HasSubstr("zeros: has 536870913 bytes"));
    EXPECT_LT(server.http().body_bytes_sent(), 8u << 20);
}

// One blob of 64 MiB under ten thousand names, in five kilobytes of trees.
TEST_F(Bomb, OfSharedTreesIsRefusedBeforeItFillsTheDisk) {
    std::string tree = tree_of("100644 blob " + zeros_blob(64u << 20), 10);
    for (int i = 0; i < 3; ++i)
        tree = tree_of("040000 tree " + tree, 10);
    commit_tree(tree);
    test::GitServer server{served()};
    const auto error = error_of([&] { clone_it(server.url("pack.git")); });
    ASSERT_TRUE(error);
    EXPECT_THAT(error->message(),
                testing::AnyOf(HasSubstr("more than 128 GiB"), HasSubstr("No space left")));
    EXPECT_FALSE(fs::exists(dir / "staging"));
}

TEST_F(Bomb, OfFilesEndsAtAStop) {
    clone_it(bare().string());
    constexpr int count = 2'000;
    commit_tree(tree_of("100644 blob " + work.git({"rev-parse", "HEAD:a.txt"}), count));
    std::stop_source stop;
    std::atomic<bool> is_over = false;
    std::jthread watcher{[&] {
        while (!is_over && !fs::exists(there() / "f00000"))
            std::this_thread::yield();
        stop.request_stop();
    }};
    const auto error = error_of([&] {
        update({.checkout = there(), .url = bare().string(), .ref = {}}, network, {},
               stop.get_token());
    });
    is_over = true;
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::interrupted);
    EXPECT_FALSE(fs::exists(there() / fmt::format("f{:05}", count - 1)));
    // As after a kill, the next update goes on.
    EXPECT_EQ(update_it(bare().string()).commit, work.git({"rev-parse", "main"}));
}

}  // namespace
}  // namespace podctl::git
