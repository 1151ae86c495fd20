// Archives that tell one reader this and another one that, or make libarchive inflate by itself.
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/download/archive.hpp"
#include "podctl/download/inert.hpp"

#include "support/archives.hpp"
#include "support/error_of.hpp"
#include "support/temp_dir.hpp"

#include <fmt/core.h>
#include <gmock/gmock.h>

namespace podctl::download {
namespace {

using testing::HasSubstr;

std::string little(std::uint64_t value, int size) {
    std::string bytes;
    for (int i = 0; i < size; ++i)
        bytes += static_cast<char>(value >> (8 * i) & 0xFF);
    return bytes;
}

std::uint32_t crc_of(const std::string& data) {
    std::uint32_t crc = ~0u;
    for (const char c : data) {
        crc ^= static_cast<unsigned char>(c);
        for (int bit = 0; bit < 8; ++bit)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

// A zip that is put together by hand, of stored members.
struct ZipBytes {
    std::string bytes = {};
    std::string directory = {};
    unsigned count = 0;

    static std::string fields(const std::string& data) {
        return little(0, 2) + little(0, 4) + little(crc_of(data), 4) + little(data.size(), 4) +
               little(data.size(), 4);
    }
    void add_local(const std::string& name, const std::string& data, unsigned flags = 0) {
        bytes += "PK\3\4" + little(20, 2) + little(flags, 2) + fields(data) +
                 little(name.size(), 2) + little(0, 2) + name + data;
    }
    void add_entry(const std::string& name, const std::string& data, std::size_t offset,
                   unsigned flags = 0) {
        directory += "PK\1\2" + little(20, 2) + little(20, 2) + little(flags, 2) + fields(data) +
                     little(name.size(), 2) + little(0, 8) + little(0100644u << 16, 4) +
                     little(offset, 4) + name;
        ++count;
    }
    void add(const std::string& name, const std::string& data) {
        const auto offset = bytes.size();
        add_local(name, data);
        add_entry(name, data, offset);
    }
    std::string end(std::size_t comment = 0) const {
        return "PK\5\6" + little(0, 4) + little(count, 2) + little(count, 2) +
               little(directory.size(), 4) + little(bytes.size(), 4) + little(comment, 2) +
               std::string(comment, 'c');
    }
    std::string whole(std::size_t comment = 0) const { return bytes + directory + end(comment); }
};

std::string tar_header(const std::string& name, char type, std::uint64_t size) {
    std::string header(512, '\0');
    header.replace(0, name.size(), name);
    header.replace(100, 7, "0000644");
    header.replace(124, 11, fmt::format("{:011o}", size));
    header.replace(136, 11, "00000000000");
    header.replace(148, 8, "        ");
    header[156] = type;
    header.replace(257, 8, std::string("ustar\00000", 8));
    unsigned sum = 0;
    for (const char c : header)
        sum += static_cast<unsigned char>(c);
    header.replace(148, 7, fmt::format("{:06o}", sum) + '\0');
    return header;
}

std::string padded(std::string bytes) {
    bytes.resize((bytes.size() + 511) / 512 * 512, '\0');
    return bytes;
}

// A member whose attributes (pax) come before it.
std::string tar_member(const std::string& attributes, const std::string& name, char type,
                       const std::string& data = {}) {
    return tar_header("x", 'x', attributes.size()) + padded(attributes) +
           tar_header(name, type, data.size()) + padded(data);
}

// The record's length counts its own digits.
std::string attribute(const std::string& key, const std::string& value) {
    const auto rest = key.size() + value.size() + 3;
    const auto length = rest + (rest + 2 < 100 ? 2 : 3);
    return fmt::format("{} {}={}\n", length, key, value);
}

const std::string tar_end(1024, '\0');

class HostileArchive : public testing::Test {
protected:
    std::string refusal(const std::string& bytes) {
        write_file_atomically(dir / "a", bytes);
        const auto error =
            test::error_of([&] { unpack(dir / "a", dir / "out", DotNames::refused, {}); });
        EXPECT_EQ(error.kind(), ErrorKind::integrity);
        EXPECT_FALSE(std::filesystem::exists(dir / "out"));
        return error.message();
    }
    std::vector<UnpackedFile> unpacked(const std::string& bytes) {
        write_file_atomically(dir / "a", bytes);
        return unpack(dir / "a", dir / "out", DotNames::refused, {});
    }
    Verdict verdict(const std::string& bytes, const std::string& name) {
        write_file_atomically(dir / "a", bytes);
        return judge(dir / "a", name, {});
    }

    test::TempDir dir;
};

TEST_F(HostileArchive, InflatesNothingForWhatIsNoFile) {
    for (const char type : {'5', '2', '1', '6'}) {
        const auto tar = test::gzip(tar_member(attribute("size", "214748364800"), "d", type) +
                                    std::string(100'000, '\0'));
        EXPECT_THAT(refusal(tar), HasSubstr("no file, but claims 214748364800 bytes"));
        const auto judged = verdict(tar, "m.tar.gz");
        EXPECT_THAT(judged.what, HasSubstr("no file, but claims"));
    }
}

TEST_F(HostileArchive, InflatesNoHeaderWithoutBounds) {
    std::string map = "4000000\n";
    while (map.size() < (16 << 20))
        map += "0\n0\n";
    const auto tar = test::gzip(tar_member(attribute("GNU.sparse.major", "1") +
                                               attribute("GNU.sparse.minor", "0") +
                                               attribute("GNU.sparse.name", "m"),
                                           "m", '0', map) +
                                tar_end);
    EXPECT_THAT(refusal(tar), HasSubstr("headers of an entry are too large"));
    EXPECT_THAT(verdict(tar, "m.tar.gz").what, HasSubstr("headers of an entry are too large"));
}

TEST_F(HostileArchive, IsNotPackedTwice) {
    const auto tar = tar_header("m.json", '0', 2) + padded("{}") + tar_end;
    EXPECT_EQ(unpacked(test::gzip(tar)).size(), 1u);
    remove_tree(dir / "out");
    EXPECT_THAT(refusal(test::gzip(test::gzip(tar))), HasSubstr("packed more than once"));
    EXPECT_EQ(verdict(test::gzip(test::gzip(tar)), "m.tar.gz").kind, Verdict::Kind::unknown);
}

const std::string pickle = "cposix\nsystem\n(S'id'\ntR.";

// Whoever goes from one local header to the next stops before the second member.
TEST_F(HostileArchive, HidesNoMemberThatOnlyItsDirectoryNames) {
    for (const std::size_t comment : {0, 17'000, 0xFFFF}) {
        ZipBytes zip;
        zip.add("a.txt", "harmless");
        zip.bytes += "PK\1\2" + std::string(60, '\0');
        zip.add("b.txt", pickle);
        EXPECT_NE(verdict(zip.whole(comment), "m.npz").kind, Verdict::Kind::inert) << comment;
        EXPECT_NE(verdict(zip.whole(comment), "m.zip").kind, Verdict::Kind::inert) << comment;
    }
    ZipBytes zip;
    zip.add("a.txt", "harmless");
    zip.bytes += "PK\1\2" + std::string(60, '\0');
    zip.add("b.txt", "harmless");
    EXPECT_EQ(unpacked(zip.whole()).size(), 2u);
    remove_tree(dir / "out");
    refusal(zip.whole(17'000));  // All of it or nothing.
}

TEST_F(HostileArchive, HasNoMemberWhoseTwoHeadersDiffer) {
    ZipBytes other_name;
    other_name.add_local("a.txt", "text");
    other_name.add_entry("b.txt", "text", 0);
    ZipBytes other_size;
    other_size.add_local("a.txt", "text" + pickle);
    other_size.add_entry("a.txt", "text", 0);
    ZipBytes cut_name;
    cut_name.add(std::string("a.bin\0.txt", 10), "text");
    for (const auto& zip : {other_name, other_size, cut_name}) {
        refusal(zip.whole());
        EXPECT_EQ(verdict(zip.whole(), "m.zip").kind, Verdict::Kind::unknown);
    }
}

// numpy finds the directory by the end's size, torch by its offset, some by its count.
TEST_F(HostileArchive, HasOneDirectory) {
    ZipBytes good;
    good.add("a.txt", "text");
    ZipBytes bad;
    bad.add("b.txt", pickle);
    auto shifted = good;
    shifted.bytes = bad.whole() + good.bytes;
    const auto by_offset = shifted.bytes + good.directory + "PK\5\6" + little(0, 4) + little(1, 2) +
                           little(1, 2) + little(good.directory.size(), 4) +
                           little(bad.bytes.size(), 4) + little(0, 2);
    const auto with_count_of_none = good.whole() + bad.bytes + bad.directory + "PK\5\6" +
                                    little(0, 8) + little(bad.directory.size(), 4) +
                                    little(good.whole().size() + bad.bytes.size(), 4) +
                                    little(0, 2);
    for (const auto& zip : {by_offset, with_count_of_none}) {
        EXPECT_EQ(verdict(zip, "m.npz").kind, Verdict::Kind::unknown);
        refusal(zip);
    }
}

TEST_F(HostileArchive, IsNoOtherArchiveBesides) {
    ZipBytes zip;
    zip.add("b.txt", "text");
    EXPECT_EQ(verdict(test::gzip("{}") + zip.whole(), "m.gz").kind, Verdict::Kind::unknown);
    const auto tar = tar_header("m.json", '0', 2) + padded("{}") + tar_end;
    EXPECT_EQ(verdict(tar, "m.tar").kind, Verdict::Kind::inert);
    EXPECT_EQ(verdict(tar + zip.whole(), "m.tar").kind, Verdict::Kind::unknown);
    // A zip in a tar is looked at as its member.
    const auto with_zip =
        tar_header("m.zip", '0', zip.whole().size()) + padded(zip.whole()) + tar_end;
    EXPECT_EQ(verdict(with_zip, "m.tar").kind, Verdict::Kind::inert);
}

TEST_F(HostileArchive, BringsNoNameThatProgramsLookFor) {
    for (const char* name : {".git/config", "m/.netrc", ".env", "x/.ssh/authorized_keys", "..."}) {
        ZipBytes zip;
        zip.add("m.json", "{}");
        zip.add(name, "x");
        EXPECT_THAT(refusal(zip.whole()), HasSubstr("a hidden name")) << name;
    }
    ZipBytes zip;
    for (const char* name : {"__MACOSX/._m.json", ".DS_Store", "x/.gitkeep", "./m.json"})
        zip.add(name, "x");
    EXPECT_EQ(unpacked(zip.whole()).size(), 4u);
}

TEST_F(HostileArchive, GivesNamesInUtf8) {
    ZipBytes zip;
    zip.add("mod\x8Ale.json", "{}");
    EXPECT_EQ(unpacked(zip.whole()).at(0).path, "modèle.json");
    EXPECT_TRUE(std::filesystem::exists(dir / "out/modèle.json"));
    remove_tree(dir / "out");
    // As Python writes it.
    constexpr unsigned is_utf8 = 1 << 11;
    ZipBytes marked;
    marked.add_local("模型.json", "{}", is_utf8);
    marked.add_entry("模型.json", "{}", 0, is_utf8);
    EXPECT_EQ(unpacked(marked.whole()).at(0).path, "模型.json");
    remove_tree(dir / "out");
    const auto pax = tar_member(attribute("path", "模型.json"), "x", '0', "{}") + tar_end;
    EXPECT_EQ(unpacked(pax).at(0).path, "模型.json");
    remove_tree(dir / "out");
    const auto tar = tar_header("mod\x8Ale.json", '0', 2) + padded("{}") + tar_end;
    EXPECT_EQ(unpacked(tar).at(0).path, "modèle.json");
}

TEST_F(HostileArchive, HoldsAFile) {
    EXPECT_THAT(refusal(ZipBytes{}.whole()), HasSubstr("holds no file"));
    EXPECT_THAT(refusal(tar_header("d/", '5', 0) + tar_end), HasSubstr("holds no file"));
}

}  // namespace
}  // namespace podctl::download
