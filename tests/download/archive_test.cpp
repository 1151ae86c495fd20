#include "podctl/download/archive.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "support/error_of.hpp"
#include "support/temp_dir.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

namespace podctl::download {
namespace {

struct Entry {
    std::string name;
    std::string data = {};
    unsigned type = AE_IFREG;
    std::string link = {};  // of a symbolic link
    std::string hard_link = {};
    unsigned mode = 0644;
};

void add(archive* out, const Entry& given) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, given.name.c_str());
    archive_entry_set_filetype(entry, given.type);
    archive_entry_set_perm(entry, given.mode);
    archive_entry_set_size(entry, static_cast<la_int64_t>(given.data.size()));
    if (!given.link.empty()) archive_entry_set_symlink(entry, given.link.c_str());
    if (!given.hard_link.empty()) archive_entry_set_hardlink(entry, given.hard_link.c_str());
    archive_write_header(out, entry);
    archive_write_data(out, given.data.data(), given.data.size());
    archive_entry_free(entry);
}

enum class Format { zip, tar_gz };

void write_archive(const std::filesystem::path& path, Format format,
                   const std::vector<Entry>& entries) {
    archive* out = archive_write_new();
    if (format == Format::zip) {
        archive_write_set_format_zip(out);
    } else {
        archive_write_set_format_pax_restricted(out);
        archive_write_add_filter_gzip(out);
    }
    archive_write_open_filename(out, path.c_str());
    for (const auto& entry : entries)
        add(out, entry);
    archive_write_free(out);
}

class Unpack : public testing::Test {
protected:
    std::vector<UnpackedFile> unpack_entries(const std::vector<Entry>& entries,
                                             Format format = Format::tar_gz) {
        write_archive(dir / "a", format, entries);
        return unpack(dir / "a", dir / "out", DotNames::refused, {});
    }

    void expect_refused(const std::vector<Entry>& entries, Format format = Format::tar_gz) {
        try {
            unpack_entries(entries, format);
            ADD_FAILURE() << entries.back().name << " was unpacked";
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::integrity) << error.message();
            EXPECT_FALSE(error.hint().empty());
        }
        EXPECT_FALSE(std::filesystem::exists(dir / "out"));
    }

    test::TempDir dir;
};

TEST_F(Unpack, UnpacksZipAndTarAndListsTheFiles) {
    for (const auto format : {Format::zip, Format::tar_gz}) {
        const auto files =
            unpack_entries({{.name = "antelopev2/", .type = AE_IFDIR, .mode = 0755},
                            {.name = "antelopev2/a.onnx", .data = "aaa"},
                            {.name = "./deep/er/run.sh", .data = "#!", .mode = 04755}},
                           format);
        ASSERT_EQ(files.size(), 2u);
        EXPECT_EQ(files[0].path, "antelopev2/a.onnx");
        EXPECT_EQ(files[0].size, 3u);
        EXPECT_EQ(files[1].path, "deep/er/run.sh");
        EXPECT_EQ(read_file(dir / "out/antelopev2/a.onnx"), "aaa");
        struct stat status {};
        ::stat((dir / "out/deep/er/run.sh").c_str(), &status);
        EXPECT_EQ(status.st_mode & 07777, 0755u);
        remove_tree(dir / "out");
    }
}

TEST_F(Unpack, KeepsNamesThatAreNotAscii) {
    for (const auto format : {Format::zip, Format::tar_gz}) {
        const auto files = unpack_entries({{.name = "modèle/ü.bin", .data = "x"}}, format);
        EXPECT_EQ(files.at(0).path, "modèle/ü.bin");
        EXPECT_EQ(read_file(dir / "out/modèle/ü.bin"), "x");
        remove_tree(dir / "out");
    }
}

TEST_F(Unpack, RefusesNamesThatLeaveTheFolder) {
    for (const auto format : {Format::zip, Format::tar_gz})
        for (const char* name : {"../x", "a/../../x", "/etc/x", "a/..", "..", "a\\..\\x"})
            expect_refused({{.name = name, .data = "x"}}, format);
    EXPECT_FALSE(std::filesystem::exists(dir / "x"));
}

TEST_F(Unpack, KeepsLinksThatStayInTheFolder) {
    unpack_entries({{.name = "lib/v1/a.so", .data = "so"},
                    {.name = "lib/a.so", .type = AE_IFLNK, .link = "v1/a.so"},
                    {.name = "bin/a.so", .type = AE_IFLNK, .link = "../lib/a.so"},
                    {.name = "lib/b.so", .hard_link = "lib/v1/a.so"}});
    EXPECT_EQ(read_file(dir / "out/bin/a.so"), "so");
    EXPECT_EQ(read_file(dir / "out/lib/b.so"), "so");
}

TEST_F(Unpack, RefusesLinksThatLeaveTheFolder) {
    for (const char* target : {"/etc/passwd", "..", "a/../..", "../x", "./.."})
        expect_refused({{.name = "l", .type = AE_IFLNK, .link = target}});
    // Each alone seems to stay: d/.. is the folder's parent once d is the folder itself.
    expect_refused({{.name = "d", .type = AE_IFLNK, .link = "."},
                    {.name = "l", .type = AE_IFLNK, .link = "d/../x"}});
}

TEST_F(Unpack, WritesNothingThroughALink) {
    expect_refused({{.name = "real/x", .data = "x"},
                    {.name = "l", .type = AE_IFLNK, .link = "real"},
                    {.name = "l/x", .data = "overwritten"}});
    // A link in the file's own place is replaced, not followed.
    unpack_entries({{.name = "real", .data = "x"},
                    {.name = "l", .type = AE_IFLNK, .link = "real"},
                    {.name = "l", .data = "y"}});
    EXPECT_EQ(read_file(dir / "out/real"), "x");
    EXPECT_EQ(read_file(dir / "out/l"), "y");
}

TEST_F(Unpack, RefusesHardLinksToAnythingButItsOwnFiles) {
    expect_refused({{.name = "l", .hard_link = "/etc/passwd"}});
    expect_refused({{.name = "l", .hard_link = "../x"}});
    expect_refused({{.name = "l", .hard_link = "missing"}});
    expect_refused({{.name = "s", .type = AE_IFLNK, .link = "x"}, {.name = "l", .hard_link = "s"}});
}

TEST_F(Unpack, RefusesDevicesAndControlCharacters) {
    expect_refused({{.name = "d", .type = AE_IFCHR}});
    expect_refused({{.name = "f", .type = AE_IFIFO}});
    expect_refused({{.name = "a\x1b[2J", .data = "x"}});
}

TEST_F(Unpack, RefusesAFileInPlaceOfAFolderAndBack) {
    expect_refused({{.name = "a/x", .data = "x"}, {.name = "a", .data = "x"}});
    expect_refused({{.name = "a", .data = "x"}, {.name = "a/x", .data = "x"}});
}

TEST_F(Unpack, RefusesAnArchiveThatClaimsMoreThanTheDiskHolds) {
    // A sparse file of an exabyte: a hundred bytes of archive.
    archive* out = archive_write_new();
    archive_write_set_format_pax(out);
    archive_write_open_filename(out, (dir / "a").c_str());
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, "huge");
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, la_int64_t{1} << 60);
    archive_entry_sparse_add_entry(entry, 0, 1);
    archive_write_header(out, entry);
    archive_write_data(out, "x", 1);
    archive_entry_free(entry);
    archive_write_free(out);
    try {
        unpack(dir / "a", dir / "out", DotNames::refused, {});
        ADD_FAILURE() << "it was unpacked";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::io) << error.message();
    }
}

TEST_F(Unpack, TakesTheLastOfTwoThatHaveOneName) {
    for (const auto format : {Format::zip, Format::tar_gz}) {
        const auto files = unpack_entries({{.name = "A.json", .data = "1"},
                                           {.name = "b.json", .data = "b"},
                                           {.name = "./A.json", .data = "22"}},
                                          format);
        ASSERT_EQ(files.size(), 2u);
        EXPECT_EQ(files[0].path, "A.json");
        EXPECT_EQ(files[0].size, 2u);
        EXPECT_EQ(read_file(dir / "out/A.json"), "22");
        remove_tree(dir / "out");
    }
}

TEST_F(Unpack, ListsHardLinksAndNoFileThatALinkReplaced) {
    const auto files = unpack_entries({{.name = "a", .data = "aaa"},
                                       {.name = "b", .hard_link = "a"},
                                       {.name = "c", .data = "c"},
                                       {.name = "c", .type = AE_IFLNK, .link = "a"}});
    ASSERT_EQ(files.size(), 2u);
    EXPECT_EQ(files[1].path, "b");
    EXPECT_EQ(files[1].size, 3u);
}

std::string folders(int depth) {
    std::string path;
    for (int i = 0; i < depth; ++i)
        path += "d/";
    return path;
}

TEST_F(Unpack, RefusesNamesThatAreTooDeepOrTooLongInFewWords) {
    EXPECT_EQ(unpack_entries({{.name = folders(60) + "f", .data = "x"}}).size(), 1u);
    for (const auto& name :
         {folders(70) + "f", folders(10'000) + "f", std::string(300, 'n'),
          std::string(200, 'a') + "/" + std::string(200, 'b') + "/" + std::string(200, 'c') + "/" +
              std::string(200, 'd') + "/" + std::string(250, 'e')}) {
        try {
            unpack_entries({{.name = "before", .data = "x"}, {.name = name, .data = "x"}});
            ADD_FAILURE() << "unpacked";
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::integrity);
            EXPECT_LT(error.message().size(), 400u);
        }
        EXPECT_FALSE(std::filesystem::exists(dir / "out"));
    }
}

// 1,000 bytes of nothing in each of a few kilobytes: refused by what the directory claims, before
// anything is written.
TEST_F(Unpack, RefusesABombOfZeros) {
    std::vector<Entry> entries;
    for (int i = 0; i < 8; ++i)
        entries.push_back(
            {.name = fmt::format("f{}.json", i), .data = std::string(10 << 20, '\0')});
    for (const auto format : {Format::zip, Format::tar_gz}) {
        const auto error = test::error_of([&] { unpack_entries(entries, format); });
        EXPECT_THAT(error.message(), testing::HasSubstr("200 times"));
        EXPECT_FALSE(std::filesystem::exists(dir / "out"));
    }
}

// One stored member that two entries of the directory name.
std::string zip_of_overlapping_members() {
    const auto number = [](std::uint64_t value, int size) {
        std::string bytes;
        for (int i = 0; i < size; ++i)
            bytes += static_cast<char>(value >> (8 * i) & 0xFF);
        return bytes;
    };
    const std::string data(5, 'x');
    // The fields from the method to the name's length, alike in a local header and the directory.
    const auto fields =
        number(0, 2) + number(0, 4) + number(0x5B8B0B4F, 4) + number(5, 4) + number(5, 4);
    const auto local =
        "PK\3\4" + number(20, 2) + number(0, 2) + fields + number(1, 2) + number(0, 2) + "a" + data;
    std::string directory;
    for (const char* name : {"a", "b"})
        directory += "PK\1\2" + number(20, 2) + number(20, 2) + number(0, 2) + fields +
                     number(1, 2) + number(0, 8) + number(0100644u << 16, 4) + number(0, 4) + name;
    return local + directory + "PK\5\6" + number(0, 4) + number(2, 2) + number(2, 2) +
           number(directory.size(), 4) + number(local.size(), 4) + number(0, 2);
}

TEST_F(Unpack, RefusesMembersThatOverlap) {
    write_file_atomically(dir / "a", zip_of_overlapping_members());
    const auto error =
        test::error_of([&] { unpack(dir / "a", dir / "out", DotNames::refused, {}); });
    EXPECT_THAT(error.message(), testing::HasSubstr("overlap"));
    EXPECT_FALSE(std::filesystem::exists(dir / "out"));
}

TEST_F(Unpack, LeavesNothingOfWhatItRefuses) {
    for (const auto format : {Format::zip, Format::tar_gz}) {
        expect_refused({{.name = "good.json", .data = "{}"}, {.name = "../bad", .data = "x"}},
                       format);
        EXPECT_FALSE(std::filesystem::exists(dir / "out"));
    }
}

TEST_F(Unpack, RefusesWhatIsCutOrNoArchive) {
    write_archive(dir / "whole", Format::tar_gz,
                  {{.name = "x", .data = std::string(1 << 20, 'x')}});
    const auto bytes = read_file(dir / "whole");
    for (const auto& content : {bytes.substr(0, bytes.size() / 2), std::string("<html></html>"),
                                std::string(2000, 'z'), std::string{}}) {
        write_file_atomically(dir / "a", content);
        EXPECT_THROW(unpack(dir / "a", dir / "out", DotNames::refused, {}), Error)
            << content.size();
    }
}

TEST_F(Unpack, StopsWhenAskedTo) {
    write_archive(dir / "a", Format::zip, {{.name = "x", .data = "x"}});
    std::stop_source stop;
    stop.request_stop();
    try {
        unpack(dir / "a", dir / "out", DotNames::refused, stop.get_token());
        ADD_FAILURE() << "it was unpacked";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    }
}

}  // namespace
}  // namespace podctl::download
