#include "pod.hpp"
#include "support/archives.hpp"

#include <map>

namespace podctl::e2e {
namespace {

namespace fs = std::filesystem;
using test::ArchiveFormat;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string pickle = "cposix\nsystem\n(S'id'\ntR.";

// Models of a server that is not to be trusted, for a pod without ComfyUI.
class Untrusted : public testing::Test {
protected:
    test::Response answer(const test::Request& request) {
        const auto file = files.find(request.path);
        if (file == files.end()) return {.status = 404};
        return {.body = file->second};
    }

    // `lines`: the models, each a flow mapping; URL stands for the server.
    void write_template(const std::vector<std::string>& lines) {
        std::string text = "apiVersion: podctl/v1\nname: pod\n";
        if (!lines.empty()) text += "models:\n";
        for (auto line : lines) {
            line.replace(line.find("URL"), 3, server.url(""));
            text += "  - " + line + "\n";
        }
        if (lines.empty()) text += "services: [{name: a, command: [\"true\"], restart: never}]\n";
        write_file_atomically(dir / "pod.yaml", text);
    }

    Captured podctl(const std::string& command, std::vector<std::string> more = {}) {
        std::vector<std::string> arguments{PODCTL_BINARY, command, "pod.yaml"};
        if (command == "up") arguments.insert(arguments.end(), {"--root", "root", "--no-launch"});
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run_captured({.argv = arguments, .working_directory = dir.path()}, {});
    }

    std::vector<std::string> files_below(const fs::path& folder) const {
        std::vector<std::string> found;
        if (!fs::exists(folder)) return found;
        for (const auto& entry : fs::recursive_directory_iterator{folder})
            if (!entry.is_directory()) found.push_back(entry.path().lexically_relative(folder));
        return found;
    }
    void expect_nothing_left() const {
        EXPECT_THAT(files_below(dir / "root/m"), IsEmpty());
        EXPECT_THAT(files_below(dir / "root/.podctl/partial"), IsEmpty());
        EXPECT_THAT(files_below(dir / "root/.podctl/staging"), IsEmpty());
    }

    std::string packed(ArchiveFormat format, const std::vector<test::ArchiveEntry>& entries) {
        test::write_archive(dir / "archive", format, entries);
        return read_file(dir / "archive");
    }

    test::TempDir dir;
    std::map<std::string, std::string> files;
    test::HttpServer server{[this](const test::Request& request) { return answer(request); }};
};

TEST_F(Untrusted, AModelNamedLikeAPickleIsRefusedByValidate) {
    for (const char* name : {"x.pt2", "x.PICKLE", "x.joblib", "x.pth.tar", "x.ck%70t", "x.py"}) {
        write_template({"{source: 'URL/" + std::string{name} + "', to: /workspace/m}"});
        const auto checked = podctl("validate");
        EXPECT_EQ(checked.status.code, 2) << name;
        EXPECT_THAT(checked.output, HasSubstr("pickle: allow")) << name;
    }
    EXPECT_THAT(server.requests(), IsEmpty());
    write_template({"{source: 'URL/download.php', name: x.safetensors, to: /workspace/m}"});
    EXPECT_EQ(podctl("validate").status.code, 0);
}

TEST_F(Untrusted, APickleUnderAnInertNameIsRefusedAndLeavesNothing) {
    files["/x.onnx"] = files["/x"] = files["/x.json"] = pickle;
    for (const char* name : {"x.onnx", "x", "x.json"}) {
        write_template({"{source: 'URL/" + std::string{name} + "', to: /workspace/m}"});
        const auto up = podctl("up");
        EXPECT_EQ(up.status.code, 4) << up.output;
        EXPECT_THAT(up.output, AllOf(HasSubstr("is a pickle"), HasSubstr("`pickle: allow`")));
        expect_nothing_left();
    }
    write_template({"{source: 'URL/x.onnx', to: /workspace/m, pickle: allow}"});
    EXPECT_EQ(podctl("up").status.code, 0);
    EXPECT_EQ(read_file(dir / "root/m/x.onnx"), pickle);
    // Without the word it is judged again, and stays where it is.
    write_template({"{source: 'URL/x.onnx', to: /workspace/m}"});
    EXPECT_EQ(podctl("up").status.code, 4);
    EXPECT_TRUE(fs::exists(dir / "root/m/x.onnx"));
}

TEST_F(Untrusted, AFileThatStandsThereAlreadyIsJudgedAndKept) {
    files["/x.onnx"] = pickle;
    write_file_atomically(dir / "root/m/x.onnx", pickle);
    write_template({"{source: 'URL/x.onnx', to: /workspace/m}"});
    const auto up = podctl("up");
    EXPECT_EQ(up.status.code, 4) << up.output;
    EXPECT_THAT(up.output, HasSubstr("is a pickle"));
    EXPECT_EQ(read_file(dir / "root/m/x.onnx"), pickle);
}

TEST_F(Untrusted, ArchivesAreJudgedByEachMember) {
    const std::vector<std::vector<test::ArchiveEntry>> hostile{
        {{"good.json", "{}"}, {"x.onnx", pickle}},
        {{"good.json", "{}"}, {"x.pt2", "x"}},
        {{"w.ckpt.", "x"}},
        {{"__init__.py", "import os"}},
        {{"inner.zip", packed(ArchiveFormat::zip, {{"data.pkl", pickle}})}},
        {{"good.json", "{}"}, {"../escaped", "x"}},
        {{"bomb.json", std::string(80 << 20, ' ')}},
    };
    for (const auto& entries : hostile) {
        for (const auto format : {ArchiveFormat::zip, ArchiveFormat::tar_gz}) {
            files["/a"] = packed(format, entries);
            write_template({"{source: 'URL/a', to: /workspace/m, unpack: true}"});
            const auto up = podctl("up");
            EXPECT_EQ(up.status.code, 4) << entries.back().name << up.output;
            EXPECT_LT(up.output.size(), 1500u);
            expect_nothing_left();
        }
    }
}

TEST_F(Untrusted, AnArchiveWithOneNameTwiceHasTheLast) {
    for (const auto format : {ArchiveFormat::zip, ArchiveFormat::tar_gz}) {
        files["/a"] = packed(format, {{"A.json", "1"}, {"A.json", "2"}});
        write_template({"{source: 'URL/a', to: /workspace/m, unpack: true}"});
        const auto up = podctl("up");
        EXPECT_EQ(up.status.code, 0) << up.output;
        EXPECT_EQ(read_file(dir / "root/m/A.json"), "2");
        fs::remove_all(dir / "root");
    }
}

TEST_F(Untrusted, WhatAKilledRunStagedIsGoneAfterTheNext) {
    write_file_atomically(dir / "root/.podctl/staging/0123456789abcdef/d/e/x", "left");
    const auto old = dir / "root/.podctl/partial/fedcba98765432100123456789abcdef.part";
    const auto young = dir / "root/.podctl/partial/00000000000000000123456789abcdef.part";
    write_file_atomically(old, "old");
    write_file_atomically(young, "young");
    fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours{24 * 8});
    write_template({});
    EXPECT_EQ(podctl("up").status.code, 0);
    EXPECT_THAT(files_below(dir / "root/.podctl/staging"), IsEmpty());
    EXPECT_FALSE(fs::exists(old));
    EXPECT_TRUE(fs::exists(young));
}

TEST_F(Untrusted, GetRefusesByNameAndContentAndLeavesNothing) {
    files["/x.onnx"] = files["/x.pt2"] = pickle;
    for (const char* name : {"x.onnx", "x.pt2"}) {
        const auto got =
            run_captured({.argv = {PODCTL_BINARY, "get", server.url("/") + name, "out"},
                          .working_directory = dir.path()},
                         {});
        EXPECT_EQ(got.status.code, 2) << got.output;
        EXPECT_THAT(got.output, AllOf(HasSubstr("a pickle"), HasSubstr("--allow-pickle")));
        EXPECT_THAT(files_below(dir / "out"), IsEmpty());
    }
    // What its own format's check refuses, once the name is known.
    const auto got = run_captured({.argv = {PODCTL_BINARY, "get", server.url("/x.onnx"), "out",
                                            "--name", "x.safetensors", "--allow-pickle"},
                                   .working_directory = dir.path()},
                                  {});
    EXPECT_EQ(got.status.code, 4) << got.output;
    EXPECT_THAT(files_below(dir / "out"), IsEmpty());
}

}  // namespace
}  // namespace podctl::e2e
