#include "podctl/base/digest.hpp"

#include "pod.hpp"
#include "support/random_bytes.hpp"
#include "support/sizes.hpp"

#include <atomic>
#include <csignal>
#include <cstdint>

namespace podctl::e2e {
namespace {

using ::testing::AnyOf;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

using test::MiB;
// Version 3, no tensors and no keys.
const std::string gguf_start = "GGUF" + std::string{"\3\0\0\0", 4} + std::string(16, '\0');

class GetKilled : public testing::TestWithParam<bool> {
protected:
    Running start() const {
        return Running{Command{.argv = {PODCTL_BINARY, "get", server.url("/m.gguf"),
                                        (dir / "models").string(), "--sha256", sha256, "--output",
                                        "json", "--connections", GetParam() ? "16" : "1"},
                               .environment = {}}};
    }
    std::vector<std::string> files() const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator{dir / "models"})
            names.push_back(entry.path().filename().string());
        return names;
    }

    const std::string bytes = gguf_start + test::random_bytes(250 * MiB + 5, 21);
    const std::string sha256 = sha256_hex(bytes);
    test::TempDir dir;
    test::HttpServer server{[&](const test::Request& got) {
        auto response = test::serve_bytes(got, bytes);
        response.bytes_per_second = (GetParam() ? 2 : 24) * MiB;
        return response;
    }};
};

// Each run tells of more than podctl holds in memory (32 MiB: src/download/transfer_share.cpp)
// before it is killed, however slow machine and disk are: so some of it is kept, the file's start
// first.
TEST_P(GetKilled, GoesOnEachTimeFromWhatIsThere) {
    int kills = 0;
    for (; kills < 3; ++kills) {
        auto get = start();
        const auto enough = static_cast<std::uint64_t>(kills + 1) * 40 * MiB;
        const auto told = get.wait_for([&](const json& event) {
            return event.value("event", "") == "step.progress" &&
                   event.at("done").get<std::uint64_t>() >= enough;
        });
        if (!told) break;  // it was done before it told of so much
        get.kill();
        EXPECT_EQ(get.finish().status.signal, SIGKILL);
    }
    EXPECT_GE(kills, 1);
    const auto asked_before = server.requests().size();
    const auto end = start().finish();
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_TRUE(read_file(dir / "models/m.gguf") == bytes);
    EXPECT_THAT(files(), UnorderedElementsAre("m.gguf"));
    const auto requests = server.requests();
    ASSERT_GT(requests.size(), asked_before);
    for (std::size_t i = asked_before; i < requests.size(); ++i) {
        const auto range = requests[i].header("range").value_or("none");
        EXPECT_THAT(range, Not(AnyOf("none", StartsWith("bytes=0-"))));
    }
}

INSTANTIATE_TEST_SUITE_P(OverManyConnectionsAndOverOne, GetKilled, testing::Values(true, false));

// Both write the same bytes to one place: the second one is turned away, and harms nothing.
TEST(Get, ASecondPodctlOnTheSameFileIsTurnedAway) {
    const std::string bytes = gguf_start + test::random_bytes(8 * MiB, 22);
    test::TempDir dir;
    std::atomic<bool> is_slow = true;
    test::HttpServer server{[&](const test::Request& got) {
        auto response = test::serve_bytes(got, bytes);
        if (is_slow) response.bytes_per_second = MiB / 64;
        return response;
    }};
    const Command command{.argv = {PODCTL_BINARY, "get", server.url("/m.gguf"),
                                   (dir / "models").string(), "--output", "json"},
                          .environment = {}};
    Running first{command};
    ASSERT_TRUE(first.wait_for("step.progress"));
    EXPECT_EQ(Running{command}.finish().status.code, 7);
    first.signal(SIGTERM);
    EXPECT_EQ(first.finish().status.code, 128 + SIGTERM);
    is_slow = false;
    EXPECT_TRUE(Running{command}.finish().status.ok());
    EXPECT_TRUE(read_file(dir / "models/m.gguf") == bytes);
}

}  // namespace
}  // namespace podctl::e2e
