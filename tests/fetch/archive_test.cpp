#include "podctl/fetch/archive.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "support/temp_dir.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

namespace podctl::fetch {
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
        return unpack(dir / "a", dir / "out", {});
    }

    void expect_refused(const std::vector<Entry>& entries, Format format = Format::tar_gz) {
        try {
            unpack_entries(entries, format);
            ADD_FAILURE() << entries.back().name << " was unpacked";
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::integrity) << error.message();
            EXPECT_FALSE(error.hint().empty());
        }
        remove_tree(dir / "out");
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
        unpack(dir / "a", dir / "out", {});
        ADD_FAILURE() << "it was unpacked";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::io) << error.message();
    }
}

TEST_F(Unpack, RefusesWhatIsCutOrNoArchive) {
    write_archive(dir / "whole", Format::tar_gz,
                  {{.name = "x", .data = std::string(1 << 20, 'x')}});
    const auto bytes = read_file(dir / "whole");
    for (const auto& content : {bytes.substr(0, bytes.size() / 2), std::string("<html></html>"),
                                std::string(2000, 'z'), std::string{}}) {
        write_file_atomically(dir / "a", content);
        EXPECT_THROW(unpack(dir / "a", dir / "out", {}), Error) << content.size();
    }
}

TEST_F(Unpack, StopsWhenAskedTo) {
    write_archive(dir / "a", Format::zip, {{.name = "x", .data = "x"}});
    std::stop_source stop;
    stop.request_stop();
    try {
        unpack(dir / "a", dir / "out", stop.get_token());
        ADD_FAILURE() << "it was unpacked";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    }
}

}  // namespace
}  // namespace podctl::fetch
