#include "podctl/base/fd.hpp"
#include "podctl/serve/control.hpp"

#include "control_address.hpp"
#include "support/error_of.hpp"
#include "support/recording_sink.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

// Who is believed when a pod is asked.
namespace podctl::serve {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

// A control socket in dir_, without a pod behind it.
class StateTrust : public ::testing::Test {
protected:
    void serve() {
        server_ = std::make_unique<ControlServer>(dir_.path(), control_, [this] { ++ends_; });
    }
    std::optional<PodStatus> status() const {
        return find_pod_status(dir_.path(), dir_ / "pod.json", {});
    }

    test::TempDir dir_;
    test::RecordingSink events_;
    PodControl control_{events_};
    std::atomic<int> ends_ = 0;
    std::unique_ptr<ControlServer> server_;
};

// Its owner could have put any socket and any record there.
TEST_F(StateTrust, AFolderThatSomebodyElseCanHavePutThereIsNotBelieved) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    serve();
    const auto expect_refusal = [&](const std::string& why) {
        for (const auto& ask : std::vector<std::function<void()>>{
                 [&] { status(); }, [&] { restart_services(dir_.path(), "web", 60s, {}); },
                 [&] { watch_pod(dir_.path(), {}); },
                 [&] { ask_to_end(dir_.path(), Urgency::graceful, {}); },
                 [&] { check_state(dir_.path()); }}) {
            const auto error = test::error_of(ask);
            EXPECT_EQ(error.kind(), ErrorKind::launch);
            EXPECT_THAT(error.message(), HasSubstr(why));
        }
    };
    ::chmod(dir_.path().c_str(), 0777);
    expect_refusal("can be written by others (mode 0777)");
    ::chmod(dir_.path().c_str(), 0700);
    EXPECT_TRUE(status());
    // The folder of temporary files is a root where everybody may add.
    ASSERT_EQ(::chown(dir_.path().c_str(), 65534, 65534), 0);
    expect_refusal("belongs to nobody (uid 65534)");
    EXPECT_EQ(ends_, 0);
}

TEST_F(StateTrust, LogsThatSomebodyElseCanHavePutThereAreNotBelieved) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    std::filesystem::create_directory(dir_ / "logs");
    EXPECT_NO_THROW(check_state(dir_.path()));
    ASSERT_EQ(::chown((dir_ / "logs").c_str(), 65534, 65534), 0);
    EXPECT_THAT(test::error_of([&] { check_state(dir_.path()); }).message(),
                HasSubstr("logs belongs to nobody (uid 65534)"));
}

TEST_F(StateTrust, RootMayAskAnotherUsersPodWhoseRootIsThatUsersAlone) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    const auto root = dir_ / "root", state = root / ".podctl";
    std::filesystem::create_directories(state);
    for (const auto& folder : {root, state})
        ASSERT_EQ(::chown(folder.c_str(), 65534, 65534), 0);
    ::chmod(state.c_str(), 0700);
    ::chmod(root.c_str(), 0755);
    const ControlServer server{state, control_, [] {}};
    EXPECT_TRUE(find_pod_status(state, state / "pod.json", {}));
    for (const mode_t open : {01777u, 0775u}) {
        ::chmod(root.c_str(), open);
        // A group of the owner's own number is the owner.
        if (open == 0775u) {
            ASSERT_EQ(::chown(root.c_str(), 65534, 100), 0);
        }
        EXPECT_THROW(find_pod_status(state, state / "pod.json", {}), Error) << std::oct << open;
    }
    ::chmod(root.c_str(), 0755);
    ASSERT_EQ(::chown(root.c_str(), 1234, 65534), 0);
    EXPECT_THROW(find_pod_status(state, state / "pod.json", {}), Error);
}

TEST_F(StateTrust, AServerThatSaysNothingIsNotWaitedForWithoutEnd) {
    const Fd folder = open_folder(dir_.path());
    const auto address = in_folder(folder.get());
    const Fd silent{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    ASSERT_EQ(::bind(silent.get(), address.generic(), address.size), 0);
    ASSERT_EQ(::listen(silent.get(), 8), 0);
    const auto error =
        test::error_of([&] { restart_services(dir_.path(), "web", std::nullopt, {}, 100ms); });
    EXPECT_EQ(error.kind(), ErrorKind::launch);
    EXPECT_THAT(error.message(), HasSubstr("no answer came"));
}

}  // namespace
}  // namespace podctl::serve
