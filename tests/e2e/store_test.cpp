#include "podctl/base/digest.hpp"

#include "pod.hpp"
#include "support/random_bytes.hpp"
#include "support/sizes.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>

// A store of models, from outside.
namespace podctl::e2e {
namespace {

namespace fs = std::filesystem;
using test::MiB;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

bool is_one_file(const fs::path& one, const fs::path& other) {
    std::error_code failed;
    return fs::equivalent(one, other, failed) && !failed;
}

Finished ended(const Command& command) {
    return Running{command}.finish();
}

class StoreOfPods : public PodTest {
protected:
    StoreOfPods() { environment["PODCTL_STORE"] = store.string(); }

    Finished on(const fs::path& other, const std::string& name,
                const std::vector<std::string>& more = {}) const {
        auto arguments = with_template(name, more);
        *std::next(std::ranges::find(arguments, "--root")) = other.string();
        return ended(command(arguments));
    }
    Finished provision_on(const fs::path& other) const { return on(other, "up", {"--no-launch"}); }
    Finished of_store(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), "store");
        arguments.insert(arguments.end(), {"--output", "json"});
        return ended(command(arguments));
    }
    fs::path model_in(const fs::path& other) const {
        return other / model().lexically_relative(root());
    }

    const fs::path store = dir / "store", second = dir / "second";
    const std::string sha256 = sha256_hex(model_bytes);
    const fs::path stored = store / "sha256" / sha256.substr(0, 2) / sha256;
};

TEST_F(StoreOfPods, GivesASecondRootWhatTheFirstHasFetched) {
    const auto first = provision();
    ASSERT_TRUE(first.status.ok()) << first.output;
    EXPECT_TRUE(is_one_file(model(), stored));
    const auto asked = hub.store().requests().size();

    const auto plan = on(second, "plan");
    const auto steps = plan.of("plan.step");
    const auto line = std::ranges::find_if(
        steps, [](const json& it) { return it.value("step", "").starts_with("model:"); });
    ASSERT_NE(line, steps.end()) << plan.output;
    EXPECT_THAT(line->value("reason", ""), HasSubstr("from the store"));
    EXPECT_EQ(line->value("download_bytes", -1), 0);

    const auto end = provision_on(second);
    ASSERT_TRUE(end.status.ok()) << end.output;
    EXPECT_EQ(hub.store().requests().size(), asked);
    EXPECT_EQ(end.of("run.finished").at(0).value("downloaded_bytes", -1), 0);
    EXPECT_TRUE(is_one_file(model_in(second), stored));
    EXPECT_EQ(read_file(model_in(second)), model_bytes);
    // And once more there is nothing to do.
    EXPECT_EQ(on(second, "plan").status.code, 0);
}

TEST_F(StoreOfPods, AdoptsWhatARootHasHadBefore) {
    environment.erase("PODCTL_STORE");
    ASSERT_TRUE(provision().status.ok());
    EXPECT_FALSE(fs::exists(store));
    environment["PODCTL_STORE"] = store.string();
    ASSERT_TRUE(provision().status.ok());
    EXPECT_TRUE(is_one_file(model(), stored));
    const auto end = provision_on(second);
    EXPECT_EQ(end.of("run.finished").at(0).value("downloaded_bytes", -1), 0) << end.output;
    EXPECT_TRUE(is_one_file(model_in(second), stored));
}

TEST_F(StoreOfPods, IsNamedByTheTemplateUnderItsMount) {
    environment.erase("PODCTL_STORE");
    write_template(
        "custom_nodes: [https://github.com/comfyanonymous/pack.git]\nstore: {path: shared}\n");
    ASSERT_TRUE(provision().status.ok());
    EXPECT_TRUE(is_one_file(model(), root() / "shared" / stored.lexically_relative(store)));
    const auto listed = of_store({"list", "pod.yaml", "--root", root().string()});
    EXPECT_THAT(listed.of("store.model"), SizeIs(1)) << listed.output;
    // What the user names wins.
    ASSERT_TRUE(on(second, "up", {"--no-launch", "--store", store.string()}).status.ok());
    EXPECT_TRUE(is_one_file(model_in(second), stored));
    EXPECT_FALSE(fs::exists(second / "shared"));
}

TEST_F(StoreOfPods, KeepsAFileWhoseRootLetsGoOfIt) {
    ASSERT_TRUE(provision().status.ok());
    write_file_atomically(dir / "pod.yaml",
                          "apiVersion: podctl/v1\nname: pod\n"
                          "python: {inherit: false, torch: keep}\n");
    const auto end = provision({"--prune"});
    ASSERT_TRUE(end.status.ok()) << end.output;
    EXPECT_FALSE(fs::exists(model()));
    EXPECT_EQ(read_file(stored), model_bytes);
    // It is in .podctl/replaced still, and so in use.
    EXPECT_THAT(of_store({"prune", "--keep", "0s"}).of("store.removed"), IsEmpty());
    fs::remove_all(root() / ".podctl/replaced");
    EXPECT_THAT(of_store({"prune", "--keep", "0s", "--dry-run"}).of("store.removed"), SizeIs(1));
    EXPECT_TRUE(fs::exists(stored));
    const auto pruned = of_store({"prune", "--keep", "0s"});
    EXPECT_EQ(pruned.status.code, 0);
    EXPECT_EQ(pruned.of("store.finished").at(0).value("freed_bytes", 0u), model_bytes.size());
    EXPECT_FALSE(fs::exists(stored));
}

TEST_F(StoreOfPods, IsListedAndCheckedByACommand) {
    EXPECT_EQ(of_store({"list"}).status.code, 4);  // there is none yet
    ASSERT_TRUE(provision().status.ok());
    const auto listed = of_store({"list"});
    ASSERT_THAT(listed.of("store.model"), SizeIs(1)) << listed.output;
    const auto entry = listed.of("store.model").at(0);
    EXPECT_EQ(entry.value("sha256", ""), sha256);
    EXPECT_EQ(entry["places"][0].value("path", ""), model().string());
    EXPECT_EQ(entry["places"][0].value("state", ""), "linked");
    EXPECT_EQ(of_store({"check"}).status.code, 0);

    fs::permissions(stored, fs::perms{0644});
    write_file_atomically(stored, "something else");
    const auto checked = of_store({"check"});
    EXPECT_EQ(checked.status.code, 4);
    EXPECT_THAT(checked.of("store.checked").at(0).value("fault", ""), HasSubstr("is damaged"));
    EXPECT_EQ(of_store({"check", "--repair"}).status.code, 4);
    EXPECT_EQ(of_store({"check"}).status.code, 0);
    EXPECT_FALSE(fs::exists(stored));
}

TEST_F(StoreOfPods, TellsWhatItWantsToKnow) {
    environment.erase("PODCTL_STORE");
    const auto none = of_store({"list"});
    EXPECT_EQ(none.status.code, 2);
    EXPECT_THAT(none.output, HasSubstr("PODCTL_STORE"));
    environment["PODCTL_STORE"] = store.string();
    EXPECT_EQ(of_store({"list", "--repair"}).status.code, 2);
    EXPECT_EQ(of_store({"check", "--dry-run"}).status.code, 2);
    EXPECT_EQ(of_store({"clean"}).status.code, 2);
}

// `podctl get`, from a plain server.
class StoreOfGet : public testing::Test {
protected:
    Command get(const std::string& folder, std::vector<std::string> more = {}) const {
        Command made{.argv = {PODCTL_BINARY, "get", server.url("/m.gguf"), (dir / folder).string(),
                              "--store", store.string(), "--output", "json", "--connections", "4"},
                     .environment = {}};
        made.argv.insert(made.argv.end(), more.begin(), more.end());
        return made;
    }

    const std::string bytes = "GGUF" + std::string{"\3\0\0\0", 4} + std::string(16, '\0') +
                              test::random_bytes(64 * MiB, 22);
    const std::string sha256 = sha256_hex(bytes);
    const std::vector<std::string> by_digest{"--sha256", sha256};
    test::TempDir dir;
    const fs::path store = dir / "store";
    const fs::path stored = store / "sha256" / sha256.substr(0, 2) / sha256;
    std::atomic<std::size_t> rate = 0;
    test::HttpServer server{[this](const test::Request& got) {
        auto response = test::serve_bytes(got, bytes);
        if (rate > 0) response.bytes_per_second = rate;
        return response;
    }};
};

TEST_F(StoreOfGet, KeepsAFileOfUnknownDigestAndGivesItToTheNext) {
    ASSERT_TRUE(ended(get("a")).status.ok());
    EXPECT_TRUE(is_one_file(dir / "a/m.gguf", stored));
    const auto sent = server.body_bytes_sent();
    const auto end = ended(get("b", by_digest));
    ASSERT_TRUE(end.status.ok()) << end.output;
    EXPECT_TRUE(is_one_file(dir / "b/m.gguf", stored));
    EXPECT_EQ(end.of("run.finished").at(0).value("downloaded_bytes", -1), 0);
    EXPECT_LT(server.body_bytes_sent() - sent, bytes.size());
    // With a name it is not even asked for that.
    const auto asked = server.requests().size();
    ASSERT_TRUE(ended(get("c", {"--sha256", sha256, "--name", "n.gguf"})).status.ok());
    EXPECT_EQ(server.requests().size(), asked);
    EXPECT_TRUE(is_one_file(dir / "c/n.gguf", stored));
    EXPECT_THAT(std::distance(fs::directory_iterator{dir / "c"}, {}), 1);
}

TEST_F(StoreOfGet, FetchesOnceForTwoAtOnce) {
    rate = 8 * MiB;
    Running first{get("a", by_digest)};
    ASSERT_TRUE(first.wait_for("step.progress"));
    Running second{get("b", by_digest)};
    const auto one = first.finish(), other = second.finish();
    EXPECT_TRUE(one.status.ok()) << one.output;
    EXPECT_TRUE(other.status.ok()) << other.output;
    EXPECT_TRUE(is_one_file(dir / "a/m.gguf", dir / "b/m.gguf"));
    EXPECT_EQ(other.of("run.finished").at(0).value("downloaded_bytes", -1), 0);
    EXPECT_THAT(other.output, HasSubstr("into the store: waiting"));
    EXPECT_TRUE(fs::is_empty(store / "partial"));
}

TEST_F(StoreOfGet, GoesOnWithWhatAKilledOneHasLeft) {
    rate = 4 * MiB;
    {
        Running killed{get("a", by_digest)};
        const auto told = killed.wait_for([](const json& event) {
            return event.value("event", "") == "step.progress" &&
                   event.at("done").get<std::uint64_t>() >= 36 * MiB;
        });
        ASSERT_TRUE(told);
        killed.kill();
    }
    rate = 0;
    const auto end = ended(get("b", by_digest));
    ASSERT_TRUE(end.status.ok()) << end.output;
    EXPECT_TRUE(is_one_file(dir / "b/m.gguf", stored));
    EXPECT_EQ(sha256_file(stored), sha256);
    EXPECT_LT(end.of("run.finished").at(0).value("downloaded_bytes", bytes.size()), bytes.size());
    EXPECT_TRUE(fs::is_empty(store / "partial"));
}

}  // namespace
}  // namespace podctl::e2e
