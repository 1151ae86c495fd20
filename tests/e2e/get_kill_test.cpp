#include "podctl/base/digest.hpp"

#include "pod.hpp"
#include "support/random_bytes.hpp"
#include "support/sizes.hpp"

#include <atomic>
#include <csignal>
#include <random>
#include <thread>

namespace podctl::e2e {
namespace {

using ::testing::UnorderedElementsAre;

using namespace std::chrono_literals;
using test::MiB;
// Version 3, no tensors and no keys.
const std::string gguf_start = "GGUF" + std::string{"\3\0\0\0", 4} + std::string(16, '\0');

class GetKilled : public testing::TestWithParam<bool> {
protected:
    // Under a limit, which is never reached, the kernel takes in little that was not asked for.
    Running start() const {
        return Running{
            Command{.argv = {PODCTL_BINARY, "get", server.url("/m.gguf"), (dir / "models").string(),
                             "--sha256", sha256, "--output", "json", "--limit-rate", "200MB"},
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
        response.bytes_per_second = (GetParam() ? 4 : 40) * MiB;
        return response;
    }};
};

// What a killed process may have received and not yet put down, however slow the disk is: all of
// its blocks (block_memory of src/fetch/transfer_share.cpp), and what lies in the kernel's buffers.
constexpr std::size_t most_on_its_way = (32 + 8) * MiB;

// Each run brings far more than that before it is killed.
TEST_P(GetKilled, GoesOnEachTimeAndFetchesLittleTwice) {
    std::mt19937 random(GetParam());
    constexpr int kills = 3;
    for (int kill = 0; kill < kills; ++kill) {
        auto get = start();
        const auto until = server.body_bytes_sent() + 56 * MiB + random() % (16 * MiB);
        while (server.body_bytes_sent() < until)
            std::this_thread::sleep_for(1ms);
        get.signal(SIGKILL);
        EXPECT_EQ(get.finish().status.signal, SIGKILL);
    }
    const auto end = start().finish();
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_TRUE(read_file(dir / "models/m.gguf") == bytes);
    EXPECT_THAT(files(), UnorderedElementsAre("m.gguf"));
    EXPECT_LE(server.body_bytes_sent(), bytes.size() + kills * most_on_its_way);
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
