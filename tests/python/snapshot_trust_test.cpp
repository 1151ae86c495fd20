#include "podctl/base/digest.hpp"
#include "podctl/python/snapshot.hpp"

#include "snapshot_world.hpp"
#include "support/archives.hpp"

#include <unistd.h>

namespace podctl::python {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// What comes from a volume that other hosts, other users and dying disks write to.
class UntrustedSnapshot : public SnapshotTest {
protected:
    Error unpacking(const Snapshot& snapshot) {
        discard_generation();
        auto error = error_of([&] { unpack_snapshot(snapshot, folder, {}, {}); });
        EXPECT_FALSE(fs::exists(generation));
        return error;
    }

    static std::string octal(std::uint64_t value, int digits) {
        return fmt::format("{:0{}o}", value, digits) + '\0';
    }

    static std::string padded(std::string bytes) {
        bytes.resize((bytes.size() + 511) / 512 * 512);
        return bytes;
    }

    struct Member {
        std::string name;
        std::string data = {};
        char type = '0';
        std::string link = {};
        unsigned mode = 0644;
    };

    static std::string tar_of(const std::vector<Member>& members) {
        std::string tar;
        for (const Member& member : members) {
            std::string header(512, '\0');
            header.replace(0, member.name.size(), member.name);
            header.replace(100, 8, octal(member.mode, 7));
            header.replace(124, 12, octal(member.data.size(), 11));
            header.replace(136, 12, octal(1, 11));
            header.replace(148, 8, 8, ' ');
            header[156] = member.type;
            header.replace(157, member.link.size(), member.link);
            header.replace(257, 8, std::string("ustar\00000", 8));
            unsigned sum = 0;
            for (const char c : header)
                sum += static_cast<unsigned char>(c);
            header.replace(148, 8, octal(sum, 6) + ' ');
            tar += header + padded(member.data);
        }
        return tar + std::string(1024, '\0');
    }

    // A snapshot whose manifest says of the archive what is so.
    Snapshot snapshot_of(const std::string& archive, std::uint64_t members,
                         std::uint64_t unpacked) {
        Snapshot snapshot{
            .key = {}, .fingerprint = "one", .generation = generation, .platform = platform};
        snapshot.parts.push_back({.sha256 = sha256_hex(archive),
                                  .packed = archive.size(),
                                  .unpacked = unpacked,
                                  .members = members});
        write_file_atomically(folder / snapshot.parts[0].file(), archive);
        return snapshot;
    }

    Snapshot snapshot_with(std::vector<Member> evil) {
        std::vector<Member> members{
            {.name = "bin/", .type = '5', .mode = 0755},
            {.name = "bin/python", .type = '2', .link = (dir / "python3").string()}};
        members.insert(members.end(), evil.begin(), evil.end());
        std::uint64_t bytes = 0;
        for (const Member& member : members)
            bytes += member.data.size();
        return snapshot_of(test::zstd(tar_of(members)), members.size(), bytes);
    }
};

TEST_F(UntrustedSnapshot, ThatIsTornOrChangedOrGoneMakesNoEnvironment) {
    file("lib/text.txt", std::string(100'000, 'x'));
    const Snapshot snapshot = pack();
    const fs::path part = folder / snapshot.parts[0].file();
    const std::string whole = read_file(part);
    for (const std::size_t size : {whole.size() - 1, whole.size() / 2, std::size_t{0}}) {
        write_file_atomically(part, whole.substr(0, size));
        const auto error = unpacking(snapshot);
        EXPECT_EQ(error.kind(), ErrorKind::integrity);
        EXPECT_THAT(error.message(), HasSubstr(part.string()));
        EXPECT_THAT(error.hint(), HasSubstr("built anew"));
    }
    for (const std::size_t at : {std::size_t{0}, whole.size() / 2, whole.size() - 1}) {
        std::string changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        write_file_atomically(part, changed);
        EXPECT_EQ(unpacking(snapshot).kind(), ErrorKind::integrity) << at;
    }
    fs::remove(part);
    EXPECT_EQ(unpacking(snapshot).kind(), ErrorKind::integrity);
    fs::create_symlink("/dev/zero", part);
    EXPECT_EQ(unpacking(snapshot).kind(), ErrorKind::integrity);
    fs::remove(part);
    write_file_atomically(part, whole);
    unpack_snapshot(snapshot, folder, {}, {});
    EXPECT_EQ(finished_fingerprint(generation), "one");
}

TEST_F(UntrustedSnapshot, WhoseManifestLiesMakesNoEnvironment) {
    file("lib/text.txt", std::string(100'000, 'x'));
    const Snapshot honest = pack();
    const auto kind_with = [&](const std::function<void(Snapshot::Part&)>& lie) {
        Snapshot snapshot = honest;
        lie(snapshot.parts[0]);
        return unpacking(snapshot).kind();
    };
    using Part = Snapshot::Part;
    for (const int by : {1, -1}) {
        EXPECT_EQ(kind_with([&](Part& part) { part.members += static_cast<unsigned>(by); }),
                  ErrorKind::integrity);
        EXPECT_EQ(kind_with([&](Part& part) { part.unpacked += static_cast<unsigned>(by); }),
                  ErrorKind::integrity);
        EXPECT_EQ(kind_with([&](Part& part) { part.packed += static_cast<unsigned>(by); }),
                  ErrorKind::integrity);
    }
    EXPECT_EQ(kind_with([&](Part& part) { part.unpacked = 1ull << 40; }), ErrorKind::io);
    EXPECT_EQ(kind_with([&](Part& part) { part.sha256 = std::string(64, '0'); }),
              ErrorKind::integrity);
}

TEST_F(UntrustedSnapshot, HasNoMemberOutsideOfItsEnvironment) {
    const fs::path outside = dir / "outside";
    fs::create_directories(outside);
    struct Attack {
        std::vector<Member> members;
        std::string refusal;
    };
    const Member link_outside{.name = "lib", .type = '2', .link = outside};
    const std::vector<Attack> attacks{
        {{{.name = "../escaped", .data = "x"}}, "leaves the environment"},
        {{{.name = "lib/../../escaped", .data = "x"}}, "leaves the environment"},
        {{{.name = (outside / "absolute").string(), .data = "x"}}, "leaves the environment"},
        {{{.name = "./lib", .data = "x"}}, "leaves the environment"},
        {{link_outside, {.name = "lib/through", .data = "x"}}, "through a link"},
        {{link_outside, {.name = "lib/", .type = '5', .mode = 0777}}, "through a link"},
        {{link_outside, {.name = "lib/inner", .type = '2', .link = "x"}}, "through a link"},
        {{{.name = "file", .data = "x"}, {.name = "file/below", .data = "x"}}, "through a link"},
        {{{.name = "twice", .data = "x"}, {.name = "twice", .data = "y"}}, "comes twice"},
        {{{.name = "hard", .type = '1', .link = outside}}, "no file, folder or symbolic link"},
        {{{.name = "device", .type = '3'}}, "no file, folder or symbolic link"},
        {{{.name = "pipe", .type = '6'}}, "no file, folder or symbolic link"},
        {{{.name = ".podctl-environment", .data = "{\"fingerprint\": \"one\"}"}}, "own mark"},
        {{{.name = "..podctl-environment.podctl-aB3dE6", .data = "x"}}, "own mark"},
        {{{.name = "", .data = "x"}}, "no such name"},
    };
    for (const auto& [members, refusal] : attacks) {
        const auto error = unpacking(snapshot_with(members));
        EXPECT_EQ(error.kind(), ErrorKind::integrity);
        EXPECT_THAT(error.message(), HasSubstr(refusal));
        EXPECT_TRUE(fs::is_empty(outside)) << refusal;
        EXPECT_EQ(fs::status(outside).permissions() & fs::perms{0022}, fs::perms::none);
        EXPECT_FALSE(fs::exists(dir / "escaped"));
        EXPECT_FALSE(fs::exists(generation.parent_path() / "escaped"));
    }
}

TEST_F(UntrustedSnapshot, BringsNoProgramThatRunsAsItsOwner) {
    discard_generation();
    unpack_snapshot(snapshot_with({{.name = "bin/tool", .data = "x", .mode = 06755}}), folder, {},
                    {});
    EXPECT_EQ(fs::status(generation / "bin/tool").permissions(), fs::perms{0755});
}

TEST_F(UntrustedSnapshot, InflatesToNoMoreThanItsManifestSays) {
    // A folder that claims bytes, which would be stepped over; a file of zeros.
    const std::string zeros(16 << 20, '\0');
    std::string tar = tar_of({{.name = "x", .data = "17 size=16777216\n", .type = 'x'},
                              {.name = "folder", .type = '5'}});
    tar.insert(1536, zeros);
    EXPECT_THAT(unpacking(snapshot_of(test::zstd(tar), 1, 0)).message(), HasSubstr("has bytes"));
    const std::string file = test::zstd(tar_of({{.name = "zeros", .data = zeros}}));
    EXPECT_THAT(unpacking(snapshot_of(file, 1, 10)).message(), HasSubstr("manifest"));
    // A header that is read as a whole.
    const std::string map = test::zstd(tar_of({{.name = "x", .data = zeros, .type = 'x'}}));
    EXPECT_EQ(unpacking(snapshot_of(map, 1, 16u << 20)).kind(), ErrorKind::integrity);
}

TEST_F(UntrustedSnapshot, IsPackedOnceAndWithZstd) {
    const std::vector<Member> members{{.name = "file", .data = "x"}};
    const std::string tar = tar_of(members);
    EXPECT_EQ(unpacking(snapshot_of(tar, 1, 1)).kind(), ErrorKind::integrity);
    EXPECT_EQ(unpacking(snapshot_of(test::gzip(tar), 1, 1)).kind(), ErrorKind::integrity);
    EXPECT_EQ(unpacking(snapshot_of(test::zstd(test::zstd(tar)), 1, 1)).kind(),
              ErrorKind::integrity);
    EXPECT_EQ(unpacking(snapshot_of("no archive", 1, 1)).kind(), ErrorKind::integrity);
}

TEST_F(UntrustedSnapshot, ThatCannotBeReadIsPassedOver) {
    const Snapshot snapshot = pack();
    const std::string good = read_file(folder / (snapshot.key + ".json"));
    const auto replaced = [&](const std::string& what, const std::string& with) {
        std::string text = good;
        const auto at = text.find(what);
        EXPECT_NE(at, text.npos) << what;
        return text.replace(at, what.size(), with);
    };
    const std::string sha256 = snapshot.parts[0].sha256;
    const std::vector<std::string> bad{
        "",
        "no JSON",
        "[]",
        "{}",
        std::string(200, '['),
        replaced("\"format\": 1", "\"format\": 2"),
        replaced("\"fingerprint\": \"one\"", "\"fingerprint\": \"two\""),  // another key
        replaced("\"fingerprint\": \"one\"", "\"fingerprint\": 1"),
        replaced(generation.string(), "relative"),
        replaced(sha256, "../../etc/passwd"),
        replaced("\"packed\": ", "\"packed\": -"),
        replaced("\"members\": ", "\"members\": 99999999"),
        replaced("\"made_ms\": ", "\"made_ms\": 9999999"),
    };
    for (std::size_t i = 0; i < bad.size(); ++i) {
        write_file_atomically(folder / (snapshot.key + ".json"), bad[i]);
        std::vector<std::string> passed_over;
        EXPECT_THAT(find_snapshots(folder, [&](auto& text) { passed_over.push_back(text); }),
                    IsEmpty())
            << i;
        EXPECT_THAT(passed_over, ElementsAre(HasSubstr(snapshot.key))) << i;
    }
    write_file_atomically(folder / (snapshot.key + ".json"), good);
    EXPECT_THAT(find_snapshots(folder), SizeIs(1));
}

TEST_F(UntrustedSnapshot, OfAnotherUserIsPassedOver) {
    const Snapshot snapshot = pack();
    const fs::path manifest = folder / (snapshot.key + ".json");
    std::vector<std::string> passed_over;
    const auto found = [&] {
        return find_snapshots(folder, [&](auto& text) { passed_over.push_back(text); });
    };
    fs::permissions(manifest, fs::perms{0666});
    EXPECT_THAT(found(), IsEmpty());
    fs::permissions(manifest, fs::perms{0600});
    EXPECT_THAT(found(), SizeIs(1));
    ASSERT_THAT(passed_over, SizeIs(1));
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    ASSERT_EQ(::chown(manifest.c_str(), 65534, 65534), 0);
    EXPECT_THAT(found(), IsEmpty());
    EXPECT_THAT(passed_over, ElementsAre(HasSubstr("written"), HasSubstr("belongs to")));
}

}  // namespace
}  // namespace podctl::python
