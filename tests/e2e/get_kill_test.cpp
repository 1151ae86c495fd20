#include "podctl/base/digest.hpp"

#include "pod.hpp"
#include "support/random_bytes.hpp"

#include <random>
#include <thread>

namespace podctl::e2e {
namespace {

using namespace std::chrono_literals;
using ::testing::UnorderedElementsAre;

constexpr std::size_t MiB = 1 << 20;
// Version 3, no tensors and no keys.
const std::string gguf_start = "GGUF" + std::string{"\3\0\0\0", 4} + std::string(16, '\0');

class GetKilled : public testing::TestWithParam<bool> {
protected:
    // Under a limit, which is never reached, the kernel takes in little that was not asked for: on
    // a busy machine its buffers would count for more than what is looked at here.
    Running start() const {
        return Running{
            Command{.argv = {PODCTL_BINARY, "get", server.url("/m.gguf"), (dir / "models").string(),
                             "--sha256", sha256, "--output", "json", "--limit-rate", "100MB"},
                    .environment = {}}};
    }
    std::vector<std::string> files() const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator{dir / "models"})
            names.push_back(entry.path().filename().string());
        return names;
    }

    const std::string bytes = gguf_start + test::random_bytes(192 * MiB + 5, 21);
    const std::string sha256 = sha256_hex(bytes);
    test::TempDir dir;
    test::HttpServer server{[&](const test::Request& got) {
        auto response = test::serve_bytes(got, bytes);
        response.bytes_per_second = (GetParam() ? 4 : 10) * MiB;
        return response;
    }};
};

// At no instant does a kill -9 cost more than what was on its way.
TEST_P(GetKilled, GoesOnEachTimeAndFetchesLittleTwice) {
    std::mt19937 random(GetParam());
    for (int kill = 0; kill < 12; ++kill) {
        auto get = start();
        const auto until = server.body_bytes_sent() + MiB + random() % (10 * MiB);
        while (server.body_bytes_sent() < until)
            std::this_thread::sleep_for(1ms);
        get.signal(SIGKILL);
        EXPECT_EQ(get.finish().status.signal, SIGKILL);
    }
    const auto end = start().finish();
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_TRUE(read_file(dir / "models/m.gguf") == bytes);
    EXPECT_THAT(files(), UnorderedElementsAre("m.gguf"));
    // What lies in the kernel's buffers at a kill was sent, too.
    EXPECT_LE(server.body_bytes_sent(), bytes.size() + bytes.size() / 4);
}

INSTANTIATE_TEST_SUITE_P(OverManyConnectionsAndOverOne, GetKilled, testing::Values(true, false));

// Both write the same bytes to one place: the second one is turned away, and harms nothing.
TEST(Get, ASecondPodctlOnTheSameFileIsTurnedAway) {
    const std::string bytes = gguf_start + test::random_bytes(8 * MiB, 22);
    test::TempDir dir;
    test::HttpServer server{[&](const test::Request& got) {
        auto response = test::serve_bytes(got, bytes);
        response.bytes_per_second = 2 * MiB;
        return response;
    }};
    const Command command{.argv = {PODCTL_BINARY, "get", server.url("/m.gguf"),
                                   (dir / "models").string(), "--output", "json"},
                          .environment = {}};
    Running first{command};
    ASSERT_TRUE(first.wait_for("step.progress"));
    EXPECT_EQ(Running{command}.finish().status.code, 7);
    EXPECT_TRUE(first.finish().status.ok());
    EXPECT_TRUE(read_file(dir / "models/m.gguf") == bytes);
}

}  // namespace
}  // namespace podctl::e2e
