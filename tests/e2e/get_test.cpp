#include "pod.hpp"

#include <atomic>

namespace podctl::e2e {
namespace {

namespace fs = std::filesystem;
using test::Request;
using test::Response;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr const char* a_digest_of_nothing_here =
    "00000000000000000000000000000000000000000000000000000000000000ff";

struct Ended {
    int code = 0;
    std::string out, err;

    std::vector<json> events() const {
        std::vector<json> found;
        LineSplitter lines{[&](std::string_view line) {
            found.push_back(json::parse(line, nullptr, false));
            EXPECT_TRUE(found.back().is_object()) << line;
        }};
        lines.feed(out);
        lines.finish();
        return found;
    }
    std::vector<json> of(const std::string& event) const {
        std::vector<json> found;
        for (const auto& it : events())
            if (it.value("event", "") == event) found.push_back(it);
        return found;
    }
};

// `podctl get`, from a plain server whose files are `files` by path, and from the hub.
class GetCommand : public testing::Test {
protected:
    GetCommand() {
        hub.add(test::CivitaiVersion{
            .id = 11,
            .model_id = 1,
            .model_name = "Tiny",
            .files = {{.id = 111, .name = "tiny.safetensors", .bytes = model_bytes}}});
        for (const char* folder : {"one", "two"})
            hub.add(test::HuggingFaceFile{.repository = "org/repo",
                                          .path = std::string{folder} + "/vae.safetensors",
                                          .bytes = model_bytes});
    }

    Response answer(const Request& request) {
        const auto file = files.find(request.path);
        if (file == files.end()) return {.status = 404};
        auto response = test::serve_bytes(request, file->second);
        if (request.path == "/traversal")
            response.headers.emplace_back("Content-Disposition",
                                          "attachment; filename=\"../../../escaped.dat\"");
        if (slow) response.bytes_per_second = 200'000;
        return response;
    }

    // With stdout and stderr apart. The folder is dir/out.
    Command command(const std::vector<std::string>& arguments) const {
        Command made{.argv = {"sh", "-c", "exec \"$0\" get \"$@\" 2>stderr.txt", PODCTL_BINARY},
                     .working_directory = dir.path(),
                     .environment = environment,
                     .unset = {"HF_ENDPOINT", "HF_TOKEN"}};
        for (const auto& [from, to] : hub.mirrors())
            made.argv.insert(made.argv.end(), {"--mirror", from + "=" + to});
        made.argv.insert(made.argv.end(), arguments.begin(), arguments.end());
        return made;
    }
    Ended get(const std::vector<std::string>& arguments) const {
        const auto end = run_captured(command(arguments), {});
        return {end.status.code, end.output, read_file(dir / "stderr.txt")};
    }
    Ended get_json(std::vector<std::string> arguments) const {
        arguments.insert(arguments.end(), {"--output", "json"});
        return get(arguments);
    }
    // Also what is hidden.
    std::vector<std::string> in_folder() const {
        std::vector<std::string> names;
        if (!fs::exists(folder())) return names;
        for (const auto& entry : fs::directory_iterator{folder()})
            names.push_back(entry.path().filename().string());
        return names;
    }
    fs::path folder() const { return dir / "out"; }

    test::TempDir dir;
    const std::string model_bytes = test::safetensors_bytes(300'000);
    std::map<std::string, std::string> files{{"/a.dat", test::safetensors_bytes(200'000, 1)},
                                             {"/b.dat", test::safetensors_bytes(100'000, 2)},
                                             {"/m.ckpt", test::safetensors_bytes(50'000, 3)},
                                             {"/traversal", test::safetensors_bytes(1'000, 4)},
                                             {"/large.dat", test::safetensors_bytes(8'000'000, 5)}};
    std::map<std::string, std::string> environment{{"CIVITAI_API_KEY", test::Hub::civitai_key}};
    std::atomic<bool> slow = false;
    test::Hub hub;
    test::HttpServer server{[this](const Request& request) { return answer(request); }};
};

TEST_F(GetCommand, PrintsThePathsOnStdoutAndTheRestOnStderr) {
    const auto end = get({server.url("/a.dat"), "out"});
    EXPECT_EQ(end.code, 0) << end.err;
    EXPECT_EQ(end.out, "out/a.dat\n");
    EXPECT_THAT(end.err, HasSubstr("done in"));
    EXPECT_EQ(read_file(folder() / "a.dat"), files["/a.dat"]);
    EXPECT_THAT(in_folder(), UnorderedElementsAre("a.dat"));
}

TEST_F(GetCommand, TellsEverythingAsJsonLines) {
    const auto end = get_json({"civitai:1@11", server.url("/a.dat"), "out"});
    EXPECT_EQ(end.code, 0) << end.err;
    const auto ready = end.of("file.ready");
    ASSERT_THAT(ready, SizeIs(2));
    for (const auto& it : ready)
        EXPECT_THAT(it.value("sha256", ""), SizeIs(64));
    const auto finished = end.of("run.finished");
    ASSERT_THAT(finished, SizeIs(1));
    EXPECT_EQ(finished[0]["exit_code"], 0);
    EXPECT_EQ(finished[0]["downloaded_bytes"], model_bytes.size() + files["/a.dat"].size());
    for (const auto& it : end.of("step.progress"))
        EXPECT_TRUE(it.contains("rate") && it.contains("eta")) << it;
    EXPECT_EQ(read_file(folder() / "tiny.safetensors"), model_bytes);
}

TEST_F(GetCommand, ASecondRunKeepsTheFileAndFetchesNothing) {
    ASSERT_EQ(get({"civitai:1@11", "out"}).code, 0);
    const auto sent = hub.store().body_bytes_sent();
    const auto again = get_json({"civitai:1@11", "out"});
    EXPECT_EQ(again.code, 0) << again.err;
    EXPECT_EQ(again.of("step.finished").at(0)["changed"], false);
    EXPECT_THAT(again.of("file.ready"), SizeIs(1));
    EXPECT_EQ(again.of("run.finished").at(0)["downloaded_bytes"], 0);
    EXPECT_EQ(hub.store().body_bytes_sent(), sent);
    ASSERT_EQ(get({server.url("/a.dat"), "plain"}).code, 0);
    const auto plain = get_json({server.url("/a.dat"), "plain"});
    EXPECT_EQ(plain.of("step.finished").at(0)["changed"], false);
    EXPECT_EQ(std::distance(fs::directory_iterator{dir / "plain"}, {}), 1);
}

TEST_F(GetCommand, AnotherFileAtThePlaceStaysUnlessForced) {
    fs::create_directory(folder());
    write_file_atomically(folder() / "tiny.safetensors", "mine");
    const auto refused = get({"civitai:1@11", "out"});
    EXPECT_EQ(refused.code, 4);
    EXPECT_THAT(refused.out, IsEmpty());
    EXPECT_THAT(refused.err, HasSubstr("--force"));
    EXPECT_EQ(read_file(folder() / "tiny.safetensors"), "mine");
    EXPECT_EQ(get({"civitai:1@11", "out", "--force"}).code, 0);
    EXPECT_EQ(read_file(folder() / "tiny.safetensors"), model_bytes);
}

TEST_F(GetCommand, WrongUseIsSaidBeforeAnyRequest) {
    EXPECT_EQ(get({server.url("/a.dat")}).code, 2);  // no folder
    EXPECT_EQ(get({}).code, 2);
    EXPECT_EQ(get({server.url("/a.dat"), "out", "--sha256", "abc"}).code, 2);
    EXPECT_EQ(get({server.url("/a.dat"), "out", "--limit-rate", "quick"}).code, 2);
    EXPECT_EQ(get({server.url("/a.dat"), "out", "--connections", "0"}).code, 2);
    EXPECT_EQ(get({server.url("/a.dat"), server.url("/b.dat"), "out", "--name", "x"}).code, 2);
    EXPECT_EQ(get({"ftp://example.com/x", "out"}).code, 2);
    EXPECT_THAT(server.requests(), IsEmpty());
}

TEST_F(GetCommand, AWrongDigestLeavesNothing) {
    const auto end = get({server.url("/a.dat"), "out", "--sha256", a_digest_of_nothing_here});
    EXPECT_EQ(end.code, 4);
    EXPECT_THAT(end.err, HasSubstr("sha256"));
    EXPECT_THAT(in_folder(), IsEmpty());
}

TEST_F(GetCommand, AFailureDoesNotKeepTheOtherFilesAway) {
    const auto end = get({server.url("/missing.dat"), server.url("/a.dat"), "out"});
    EXPECT_EQ(end.code, 4);
    EXPECT_EQ(end.out, "out/a.dat\n");
    EXPECT_THAT(in_folder(), UnorderedElementsAre("a.dat"));
}

TEST_F(GetCommand, TakesListsWithCommasAndBatchFiles) {
    EXPECT_EQ(get({server.url("/a.dat") + "," + server.url("/b.dat"), "out"}).code, 0);
    EXPECT_THAT(in_folder(), UnorderedElementsAre("a.dat", "b.dat"));
    write_file_atomically(dir / "models.txt",
                          "# models\ncivitai:1@11  # the newest\n\n" + server.url("/a.dat") + "\n");
    const auto end = get({"-i", "models.txt", "more"});
    EXPECT_EQ(end.code, 0) << end.err;
    EXPECT_TRUE(fs::exists(dir / "more/tiny.safetensors"));
    EXPECT_TRUE(fs::exists(dir / "more/a.dat"));
}

TEST_F(GetCommand, TwoFilesOfOneNameAreAConflictBeforeTheSecondsBytes) {
    const auto end =
        get({"hf:org/repo/one/vae.safetensors", "hf:org/repo/two/vae.safetensors", "out"});
    EXPECT_EQ(end.code, 4);
    EXPECT_THAT(end.err, HasSubstr("is also the place of hf:org/repo/"));
    EXPECT_EQ(read_file(folder() / "vae.safetensors"), model_bytes);
    EXPECT_LE(hub.store().body_bytes_sent() + hub.huggingface().body_bytes_sent(),
              model_bytes.size() * 3 / 2);
}

TEST_F(GetCommand, APickleHasToBeAllowed) {
    EXPECT_EQ(get({server.url("/m.ckpt"), "out"}).code, 2);
    EXPECT_THAT(in_folder(), IsEmpty());
    EXPECT_EQ(get({server.url("/m.ckpt"), "out", "--allow-pickle"}).code, 0);
    EXPECT_EQ(read_file(folder() / "m.ckpt"), files["/m.ckpt"]);
}

TEST_F(GetCommand, AServersNameStaysInsideTheFolder) {
    const auto end = get({server.url("/traversal"), "out/deep/er"});
    EXPECT_EQ(end.code, 0) << end.err;
    EXPECT_THAT(end.out, HasSubstr("out/deep/er/"));
    EXPECT_FALSE(fs::exists(dir / "escaped.dat"));
    EXPECT_FALSE(fs::exists(dir.path().parent_path() / "escaped.dat"));
    EXPECT_FALSE(fs::exists(folder() / "escaped.dat"));
    EXPECT_EQ(std::distance(fs::directory_iterator{folder() / "deep/er"}, {}), 1);
}

TEST_F(GetCommand, NoTokenIsInAnyOutput) {
    const std::string key = test::Hub::civitai_key;
    const auto by_name = get({"civitai:1@11", "out", "-v"});
    EXPECT_EQ(by_name.code, 0) << by_name.err;
    environment.clear();
    const std::string url = "https://civitai.com/api/download/models/11?token=" + key;
    const auto by_url = get({url, "text", "-v"});
    EXPECT_EQ(by_url.code, 0) << by_url.err;
    const auto as_json = get_json({url, "json"});
    EXPECT_EQ(as_json.code, 0) << as_json.out;
    hub.alter_civitai([](const Request&, Response& it) { it = {.status = 401, .body = "no"}; });
    const auto failed = get({url, "failed", "-v"});
    EXPECT_EQ(failed.code, 4);
    for (const auto& end : {by_name, by_url, as_json, failed}) {
        EXPECT_THAT(end.out + end.err, Not(HasSubstr(key)));
        EXPECT_THAT(end.out + end.err, Not(HasSubstr("X-Amz-Signature")));
    }
}

TEST_F(GetCommand, AStoppedDownloadIsGoneOnWith) {
    slow = true;
    const auto& whole = files["/large.dat"];
    for (const int signal : {SIGINT, SIGTERM}) {
        Running stopped{command({server.url("/large.dat"), "out", "--output", "json"})};
        ASSERT_TRUE(stopped.wait_for([](const json& it) {
            return it.value("event", "") == "step.progress" && it.value("done", 0u) > 500'000;
        }));
        stopped.signal(signal);
        const auto end = stopped.finish();
        EXPECT_EQ(end.status.code, 128 + signal) << end.output;
        EXPECT_EQ(end.of("run.finished").at(0)["exit_code"], 128 + signal);
        EXPECT_FALSE(fs::exists(folder() / "large.dat"));
        EXPECT_THAT(in_folder(), Not(IsEmpty()));
    }
    slow = false;
    const auto again = get_json({server.url("/large.dat"), "out"});
    EXPECT_EQ(again.code, 0) << again.err;
    EXPECT_LT(again.of("run.finished").at(0)["downloaded_bytes"], whole.size() - 400'000);
    EXPECT_EQ(read_file(folder() / "large.dat"), whole);
    EXPECT_THAT(in_folder(), UnorderedElementsAre("large.dat"));
}

}  // namespace
}  // namespace podctl::e2e
