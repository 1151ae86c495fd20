#include "leftovers.hpp"
#include "resolution.hpp"
#include "step_test.hpp"
#include "steps/environment_base.hpp"
#include "steps/environment_lock.hpp"
#include "steps/packs.hpp"
#include "support/git_server.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <string_view>

// The journal of a root that an earlier podctl has written: each line is one of podctl 0.1's.
namespace podctl::run {
namespace {

constexpr std::string_view sha256 =
    "5d41402abc4b2a76b9719d911017c592ae2b5f8e3a5f4f0f2f5c1b9d1e6a7b3c";

class EarlierRecord : public StepTest {
protected:
    // Of five bytes, with the times of the lines.
    void place(const fs::path& path, const std::string& content = "hello") {
        write_file_atomically(path, content);
        const timespec time{.tv_sec = 1'700'000'000, .tv_nsec = 123456789};
        const timespec times[2] = {time, time};
        ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
    }
    // As it stands in the file: ROOT and SHA stand for the root and the digest.
    void read_line(std::string line) {
        const auto put = [&](std::string_view word, std::string_view text) {
            for (auto at = line.find(word); at != line.npos; at = line.find(word, at))
                line.replace(at, word.size(), text);
        };
        put("ROOT", root.string());
        put("SHA", sha256);
        std::ofstream{dir / "lines"} << line << "\n";
        const Journal earlier{dir / "lines"};
        for (const auto& known : earlier.ids())
            context.journal.put(known, *earlier.find(known));
    }
    plan::FetchModel model() const {
        plan::FetchModel model;
        model.source = hub::parse_source("https://example.com/m.safetensors");
        model.resolved = hub::ResolvedFile{.url = "https://example.com/m.safetensors"};
        model.target = root / "m.safetensors";
        return model;
    }
};

TEST_F(EarlierRecord, OfAModelIsRead) {
    place(root / "m.safetensors");
    read_line(R"({"facts":{"mtime_ns":"1700000000123456789","path":"ROOT/m.safetensors",)"
              R"("sha256":"SHA","size":"5"},"fingerprint":"fingerprint","id":"step"})");
    const auto found = look_at(model());
    EXPECT_EQ(found.change, Change::keep);
    EXPECT_EQ(found.reason, "sha256 5d41402abc4b");
    EXPECT_EQ(look_at(model(), "other").change, Change::change);
    place(root / "m.safetensors", "other bytes");
    EXPECT_EQ(look_at(model()).change, Change::change);
}

TEST_F(EarlierRecord, OfAModelElsewhereIsNotOfThisOne) {
    place(root / "m.safetensors");
    read_line(R"({"facts":{"mtime_ns":"1700000000123456789","path":"ROOT/other.safetensors",)"
              R"("sha256":"SHA","size":"5"},"fingerprint":"fingerprint","id":"step"})");
    EXPECT_EQ(look_at(model()).change, Change::change);
}

TEST_F(EarlierRecord, OfAModelTakenWithItsWordIsRead) {
    place(root / "m.safetensors");
    read_line(R"({"facts":{"mtime_ns":"1700000000123456789","path":"ROOT/m.safetensors",)"
              R"("pickle":"allowed","sha256":"SHA","size":"5"},)"
              R"("fingerprint":"fingerprint","id":"step"})");
    EXPECT_THAT(look_at(model()).reason, HasSubstr("without the word"));
    auto allowed = model();
    allowed.allow_pickle = true;
    EXPECT_EQ(look_at(allowed).change, Change::keep);
}

TEST_F(EarlierRecord, OfAModelThatTheUserChangedIsRead) {
    place(root / "m.safetensors", "the user's");
    read_line(R"({"facts":{"kept":"10:1700000000123456789","mtime_ns":"1","path":)"
              R"("ROOT/m.safetensors","sha256":"SHA","size":"5"},)"
              R"("fingerprint":"fingerprint","id":"step"})");
    EXPECT_EQ(look_at(model()).reason, "changed by hand");
    place(root / "m.safetensors", "the user's again");
    EXPECT_EQ(look_at(model()).change, Change::change);
}

TEST_F(EarlierRecord, OfAnArchiveIsRead) {
    place(root / "m/a.safetensors");
    place(root / "m/b/c.txt", "12345678");
    read_line(R"({"facts":{"files":"{\"a.safetensors\":5,\"b/c.txt\":8}","mtime_ns":"0",)"
              R"("path":"ROOT/m","sha256":"SHA","size":"0"},)"
              R"("fingerprint":"fingerprint","id":"step"})");
    auto archive = model();
    archive.unpack = true;
    archive.target = root / "m";
    EXPECT_EQ(look_at(archive).change, Change::keep);
    EXPECT_EQ(look_at(archive, "other").change, Change::create);
    place(root / "m/b/c.txt", "1");
    EXPECT_EQ(look_at(archive).change, Change::create);
}

TEST_F(EarlierRecord, OfAFolderIsRead) {
    place(root / "r/a.json");
    read_line(R"({"facts":{"files":"{\"a.json\":{\"mtime_ns\":\"1700000000123456789\",\"of\":)"
              R"(\"blob\",\"sha256\":\"SHA\",\"size\":\"5\"}}","path":"ROOT/r","revision":"c"},)"
              R"("fingerprint":"fingerprint","id":"step"})");
    plan::FetchFolder folder;
    folder.source = hub::parse_source("hf:o/r");
    hub::Folder listing{.revision = "c"};
    listing.files.push_back({.path = "a.json", .file = {.url = "https://example.com/a.json"}});
    listing.files.front().file.git_blob = "blob";
    folder.listing = listing;
    folder.target = root / "r";
    EXPECT_EQ(look_at(folder).reason, "1 files at c");
    // What tells one is the file's own digest, whatever else of the folder has changed.
    EXPECT_EQ(look_at(folder, "other").change, Change::keep);
    folder.listing->files.front().file.git_blob = "another";
    EXPECT_EQ(look_at(folder).change, Change::change);
}

TEST_F(EarlierRecord, OfModelsSaysWhatTheyLeft) {
    for (const auto* file : {"one.safetensors", "found.safetensors", "changed.safetensors",
                             "archive/a.bin", "archive/b.bin", "r/a", "r/found", "r/changed"})
        place(root / file);
    place(root / "archive/b.bin", "changed");
    place(root / "r/changed", "changed");
    place(root / "changed.safetensors", "changed");
    const auto single = [&](const std::string& name, const std::string& more) {
        read_line(fmt::format(
            R"({{"facts":{{{}"mtime_ns":"1700000000123456789","path":"ROOT/{}",)"
            R"("sha256":"SHA","size":"5"}},"fingerprint":"fingerprint","id":"model:{}"}})",
            more, name, name));
    };
    single("one.safetensors", "");
    single("changed.safetensors", "");
    single("found.safetensors", R"("found":"yes",)");
    read_line(R"({"facts":{"files":"{\"a.bin\":5,\"b.bin\":5,\"none.bin\":5}","mtime_ns":"0",)"
              R"("path":"ROOT/archive","sha256":"SHA","size":"0"},)"
              R"("fingerprint":"fingerprint","id":"model:archive"})");
    const auto file = [](const std::string& name, const std::string& more) {
        return fmt::format(R"(\"{}\":{{{}\"mtime_ns\":\"1700000000123456789\",\"of\":\"x\",)"
                           R"(\"sha256\":\"SHA\",\"size\":\"5\"}})",
                           name, more);
    };
    read_line(R"({"facts":{"files":"{)" + file("a", "") + "," + file("changed", "") + "," +
              file("found", R"(\"found\":\"yes\",)") +
              R"(}","path":"ROOT/r","revision":"c"},"fingerprint":"fingerprint","id":"model:r"})");
    std::vector<std::string> left;
    for (const auto& leftover :
         find_leftovers(plan::Plan{.places = context.places, .steps = {}}, context))
        for (std::size_t i = 0; i < leftover.paths.size(); ++i)
            left.push_back(leftover.paths[i].lexically_relative(root).string() + " " +
                           leftover.names[i]);
    EXPECT_THAT(left, UnorderedElementsAre("one.safetensors one.safetensors", "archive/a.bin a.bin",
                                           "r/a a"));
}

TEST_F(EarlierRecord, OfACheckoutIsRead) {
    test::GitRepository repository{root / "pack"};
    const auto commit = repository.commit_file("a", "1");
    const plan::Clone clone{
        .url = "https://example.com/pack.git", .ref = {}, .path = root / "pack"};
    const auto line = [&](const std::string& head, const std::string& more) {
        read_line(R"({"facts":{"branch":"main","commit":")" + head + "\"" + more +
                  R"(},"fingerprint":"fingerprint","id":"step"})");
    };
    line(commit, "");
    EXPECT_EQ(look_at(clone).reason, "at " + commit.substr(0, 9));
    EXPECT_THAT(look_at(clone).notice, IsEmpty());
    line(commit, R"(,"companion":"")");
    EXPECT_EQ(look_at(clone).change, Change::keep);
    line(commit, R"(,"companion":"ROOT/none")");
    EXPECT_EQ(look_at(clone).reason, (root / "none is missing").string());
    line(std::string(40, 'a'), "");
    EXPECT_THAT(look_at(clone).notice, HasSubstr("moved by hand from aaaaaaaaa to"));
}

TEST_F(EarlierRecord, OfACopyIsRead) {
    for (const auto* pack : {"from", "custom_nodes/pack"}) {
        place(root / pack / "a.py");
        place(root / pack / "b/c.py", "123");
    }
    place(root / "custom_nodes/pack/gone.py");
    const plan::CopyNode copy{.from = root / "from", .path = root / "custom_nodes/pack"};
    read_line(R"({"facts":{"files":"{\"a.py\":[5,1700000000123456789],)"
              R"(\"b/c.py\":[3,1700000000123456789]}"},"fingerprint":"fingerprint","id":"step"})");
    EXPECT_EQ(look_at(copy).reason, "the same as its source");
    read_line(R"({"facts":{"files":"{\"a.py\":[5,1700000000123456789],)"
              R"(\"b/c.py\":[3,1700000000123456789],\"gone.py\":[5,1700000000123456789]}"},)"
              R"("fingerprint":"fingerprint","id":"step"})");
    EXPECT_EQ(look_at(copy).reason, "1 files differ");
}

TEST_F(EarlierRecord, OfAPackTellsWhetherItIsLeft) {
    read_line(R"({"facts":{"files":"{}"},"fingerprint":"f","id":"node:copied"})");
    read_line(R"({"facts":{"files":"{}","in_place":"yes"},"fingerprint":"f","id":"node:own"})");
    read_line(R"({"facts":{"inputs":"SHA"},"fingerprint":"f","id":"node:own.install"})");
    read_line(R"({"facts":{"branch":"","commit":"c"},"fingerprint":"f","id":"node:cloned"})");
    const plan::EnvironmentSpec spec;
    EXPECT_TRUE(is_left(spec, "copied", context.journal));
    EXPECT_TRUE(is_left(spec, "cloned", context.journal));
    EXPECT_FALSE(is_left(spec, "own", context.journal));
    EXPECT_FALSE(is_left(spec, "own.install", context.journal));
    EXPECT_FALSE(is_left(spec, "none", context.journal));
}

TEST_F(EarlierRecord, OfAPackOfTheRegistryIsRead) {
    place(root / "pack/.tracking");
    const plan::RegistryNode node{.id = "pack", .version = {}, .path = root / "pack"};
    read_line(R"({"facts":{"sha256":"SHA","tracking":"SHA","version":"1.2.3"},)"
              R"("fingerprint":"fingerprint","id":"step"})");
    EXPECT_EQ(look_at(node).reason, "version 1.2.3");
}

TEST_F(EarlierRecord, OfALockIsRead) {
    plan::EnvironmentSpec spec;
    spec.name = "python";
    const plan::ResolveEnvironment resolve{spec};
    const auto step = step_of(resolve);
    fs::create_directories(context.places.locks);
    write_file_atomically(lock_file(spec, task_of(step)), "x==1\n");
    const auto inputs = inputs_digest(spec, task_of(step));
    const auto lock = lock_digest(spec, task_of(step)).value();
    const auto line = [&](const std::string& of, const std::string& to, const std::string& out) {
        read_line(fmt::format(R"({{"facts":{{"inputs":"{}","left_out":"{}","lock":"{}"}},)"
                              R"("fingerprint":"fingerprint","id":"step"}})",
                              of, out, to));
    };
    line(inputs, lock, "");
    EXPECT_EQ(look_at(resolve).change, Change::keep);
    EXPECT_THAT(look_at(resolve).notice, IsEmpty());
    line(inputs, lock, "one/two");
    EXPECT_THAT(look_at(resolve).notice, HasSubstr("with the others: one, two;"));
    line("", lock, "");
    EXPECT_EQ(look_at(resolve).reason, "something could not be asked before");
    line("other", lock, "");
    EXPECT_EQ(look_at(resolve).reason, "requirements changed");
    line(inputs, "other", "");
    EXPECT_EQ(look_at(resolve).reason, "the lock file was changed");
}

TEST_F(EarlierRecord, OfAnInterpreterAndWhatIsInstalledThereIsRead) {
    place(root / "python3");
    fs::create_directories(root / "site/x-1.dist-info");
    plan::EnvironmentSpec spec;
    spec.name = "python";
    spec.settings.environment = tmpl::EnvironmentKind::system;
    spec.settings.interpreter = "/none";
    const auto step = step_of(plan::InstallEnvironment{spec});
    const auto line = [&](const std::string& distributions) {
        read_line(R"({"facts":{"distributions":")" + distributions +
                  R"(","path":"ROOT/python3","sites":"ROOT/none\nROOT/site",)"
                  R"("stamp":"5:1700000000123456789"},"fingerprint":"3.12.1","id":"base:python"})");
    };
    line("");
    const auto digest = installed_distributions(spec, task_of(step));
    line(digest);
    EXPECT_EQ(python_of(spec, task_of(step)), root / "python3");

    fs::create_directories(context.places.locks);
    write_file_atomically(lock_file(spec, task_of(step)), "x==1\n");
    const auto lock = lock_digest(spec, task_of(step)).value();
    const auto installed = [&](const std::string& what) {
        read_line(fmt::format(R"({{"facts":{{"installed":"{}","lock":"{}"}},)"
                              R"("fingerprint":"fingerprint","id":"step"}})",
                              what, lock));
        return look_at(plan::InstallEnvironment{spec}).change == Change::keep;
    };
    EXPECT_TRUE(installed(digest));
    EXPECT_FALSE(installed("other"));
    place(root / "python3", "another");
    EXPECT_THROW(python_of(spec, task_of(step)), Error);
}

TEST_F(EarlierRecord, OfAFileOfAHubIsReadAndWrittenAsBefore) {
    const auto source = hub::parse_source("civitai:12@34");
    read_line(
        R"({"facts":{"approximate_size":"7","git_blob":"","model_id":"12","model_name":"M",)"
        R"("name":"m.safetensors","revision":"","sha256":"SHA","size":"","type":"LORA",)"
        R"("url":"https://civitai.com/api/download/models/34","verdict":"","version_id":"34"},)"
        R"("fingerprint":"civitai:12@34","id":"resolution:civitai:12@34"})");
    const auto known = known_resolution(source, context.journal).value();
    EXPECT_EQ(known.url, "https://civitai.com/api/download/models/34");
    EXPECT_EQ(known.name, "m.safetensors");
    EXPECT_EQ(known.size, std::nullopt);
    EXPECT_EQ(known.approximate_size, 7u);
    EXPECT_EQ(known.sha256, sha256);
    EXPECT_EQ(known.type, "LORA");
    EXPECT_EQ(known.model_name, "M");
    EXPECT_EQ(known.model_id, 12);
    EXPECT_EQ(known.version_id, 34);
    const auto before = context.journal.find("resolution:civitai:12@34");
    context.journal.erase("resolution:civitai:12@34");
    keep_resolution(source, known, context.journal);
    EXPECT_EQ(context.journal.find("resolution:civitai:12@34"), before);
}

TEST_F(EarlierRecord, WithANumberThatIsNoneIsAskedForAgain) {
    const auto source = hub::parse_source("civitai:12@34");
    read_line(R"({"facts":{"size":"many","url":"https://civitai.com/api/download/models/34"},)"
              R"("fingerprint":"civitai:12@34","id":"resolution:civitai:12@34"})");
    EXPECT_FALSE(known_resolution(source, context.journal));
}

TEST_F(EarlierRecord, OfAFolderOfAHubIsReadAndWrittenAsBefore) {
    const auto source = hub::parse_source("hf:o/r");
    read_line(R"({"facts":{"files":"[[\"a.json\",5,\"\",\"blob\"],[\"b/c.bin\",7,\"SHA\",\"\"]]",)"
              R"("impossible":"[\"aux.png\"]","revision":"c"},)"
              R"("fingerprint":"hf:o/r","id":"resolution:hf:o/r"})");
    const auto known = known_listing(source, context.journal).value();
    EXPECT_EQ(known.revision, "c");
    ASSERT_EQ(known.files.size(), 2u);
    EXPECT_EQ(known.files[0].path, "a.json");
    EXPECT_EQ(known.files[0].file.size, 5u);
    EXPECT_EQ(known.files[0].file.git_blob, "blob");
    EXPECT_EQ(known.files[1].file.sha256, sha256);
    EXPECT_THAT(known.impossible, ElementsAre("aux.png"));
    const auto before = context.journal.find("resolution:hf:o/r");
    context.journal.erase("resolution:hf:o/r");
    keep_listing(source, known, context.journal);
    EXPECT_EQ(context.journal.find("resolution:hf:o/r"), before);
    for (const auto* broken :
         {R"([[\"a\",5,\"\"]])", R"({})", "", R"([[\"a\",\"5\",\"\",\"\"]])"}) {
        read_line(R"({"facts":{"files":")" + std::string{broken} +
                  R"(","revision":"c"},"fingerprint":"hf:o/r","id":"resolution:hf:o/r"})");
        EXPECT_FALSE(known_listing(source, context.journal)) << broken;
    }
    read_line(R"({"facts":{"files":"[]","impossible":"[5]","revision":"c"},)"
              R"("fingerprint":"hf:o/r","id":"resolution:hf:o/r"})");
    EXPECT_FALSE(known_listing(source, context.journal));
}

}  // namespace
}  // namespace podctl::run
