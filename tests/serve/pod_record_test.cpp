#include "pod_record.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/process_stat.hpp"

#include "pod_fixture.hpp"

#include <nlohmann/json.hpp>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace podctl::serve {
namespace {

using ::testing::SizeIs;

class PodJson : public PodTest {};

TEST_F(PodJson, NamesWhatRunsWhileItRunsAndIsGoneAfterwards) {
    const auto web = listener("web");
    on_ready_ = [&] { events_.emit(event::Notice{"", "all ready"}); };
    start({web});
    const auto pid = events_.wait_for<event::ServiceStarted>().pid;
    events_.wait_for<event::Notice>();
    const auto pod = find_running_pod(dir_ / "pod.json");
    ASSERT_TRUE(pod);
    EXPECT_EQ(pod->pid, ::getpid());
    ASSERT_THAT(pod->services, SizeIs(1));
    EXPECT_EQ(pod->services[0].name, "web");
    EXPECT_EQ(pod->services[0].pid, pid);
    EXPECT_EQ(pod->services[0].port, web.ready.port);
    EXPECT_EQ(pod->services[0].url, web.ready.url);
    stop();
    EXPECT_FALSE(std::filesystem::exists(dir_ / "pod.json"));
    EXPECT_FALSE(find_running_pod(dir_ / "pod.json"));
}

TEST_F(PodJson, HoldsTheStateOnceAllAreReady) {
    std::string state;
    on_ready_ = [&] {
        state = nlohmann::json::parse(read_file(dir_ / "pod.json"))["services"][0]["state"];
        stop_.request_stop();
    };
    run({listener("web")});
    EXPECT_EQ(state, "ready");
}

TEST_F(PodJson, DoesNotTakeAnotherProcessForThePod) {
    PodRecord record(dir_ / "pod.json");
    record.update({{"web", ::getpid(), 0, "", ServiceState::ready}});
    ASSERT_TRUE(find_running_pod(dir_ / "pod.json"));
    auto json = nlohmann::json::parse(read_file(dir_ / "pod.json"));
    json["podctl"]["start_time"] = 1;
    json["services"][0]["start_time"] = 1;
    write_file_atomically(dir_ / "pod.json", json.dump());
    EXPECT_FALSE(find_running_pod(dir_ / "pod.json"));
}

TEST_F(PodJson, TellsOfServicesThatAKilledPodctlLeftBehind) {
    PodRecord record(dir_ / "pod.json");
    record.update({{"web", ::getpid(), 0, "", ServiceState::ready}});
    auto json = nlohmann::json::parse(read_file(dir_ / "pod.json"));
    json["podctl"]["start_time"] = 1;
    write_file_atomically(dir_ / "pod.json", json.dump());
    const auto pod = find_running_pod(dir_ / "pod.json");
    ASSERT_TRUE(pod);
    EXPECT_EQ(pod->pid, 0);
    EXPECT_EQ(pod->services[0].pid, ::getpid());
}

TEST_F(PodJson, ThatIsNotPodctlsIsAnError) {
    for (const auto* text : {"", "{}", "[1]", "{\"podctl\": {\"pid\": \"one\"}}"}) {
        write_file_atomically(dir_ / "pod.json", text);
        EXPECT_THROW(find_running_pod(dir_ / "pod.json"), Error) << text;
    }
}

TEST_F(PodJson, ThatCannotBeWrittenDoesNotEndThePod) {
    write_file_atomically(dir_ / "file", "");
    options_.pids = dir_ / "file/pod.json";
    EXPECT_EQ(run({stand_in("task", {"--exit", "0"})}).cause, PodEnd::Cause::finished);
    EXPECT_THAT(events_.all<event::Notice>(), SizeIs(1));
}

TEST(ProcessGroup, RunsUntilOnlyZombiesAreLeft) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a check below may end this test
        ::setpgid(0, 0);
        ::raise(SIGSTOP);
        ::_exit(0);
    }
    siginfo_t info{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WSTOPPED), 0);
    EXPECT_EQ(read_process(child)->group, child);
    EXPECT_TRUE(group_runs(child));
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
    EXPECT_FALSE(read_process(child));
    EXPECT_FALSE(group_runs(child));
    ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace podctl::serve
