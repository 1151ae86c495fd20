#include "podctl/base/error.hpp"

#include "pod_fixture.hpp"

#include <atomic>
#include <csignal>
#include <future>
#include <map>

// What has to be done before each start of a service.
namespace podctl::serve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using namespace std::chrono_literals;

class PodPreparations : public PodTest {
protected:
    // The number of the preparation is the service's only line.
    ServiceSpec counting(const std::string& name) {
        auto spec = listener(name);
        spec.prepare = [this, command = spec.command](const std::stop_token&) {
            auto made = command;
            made.argv.insert(made.argv.end(), {"--print", "start " + std::to_string(++prepared_)});
            return made;
        };
        return spec;
    }
    // One that goes on until the test lets it, or a stop is requested.
    ServiceSpec waiting(const std::string& name) {
        auto spec = listener(name);
        spec.prepare = [this, command = spec.command](const std::stop_token& stop) {
            const std::stop_callback on_stop{stop, [this] { ++stopped_; }};
            if (++prepared_ == 1) began_.set_value();
            while (!go_on_ && !stop.stop_requested())
                std::this_thread::yield();
            return command;
        };
        return spec;
    }

    std::atomic<int> prepared_ = 0, stopped_ = 0;
    std::atomic<bool> go_on_ = false;
    std::promise<void> began_;
};

TEST_F(PodPreparations, AreMadeBeforeEachStart) {
    std::map<std::string, pid_t> pids;
    events_.on_event = [&](const Event& event) {
        if (const auto* started = std::get_if<event::ServiceStarted>(&event))
            pids[started->service] = started->pid;
        if (std::holds_alternative<event::ServiceReady>(event) &&
            events_.all<event::ServiceReady>().size() <= 2)
            ::kill(pids["web"], SIGKILL);
    };
    start({counting("web")});
    events_.wait_for<event::ServiceReady>(3);
    EXPECT_EQ(stop().cause, PodEnd::Cause::stopped);
    EXPECT_EQ(prepared_, 3);
    for (const auto* line : {"start 1", "start 2", "start 3"})
        EXPECT_THAT(log("web"), HasSubstr(line));
}

TEST_F(PodPreparations, ThatFailAreToldAndTheServiceRunsWithout) {
    auto spec = listener("web");
    spec.prepare = [](const std::stop_token&) -> Command {
        throw Error{ErrorKind::io, "the copy cannot be made"};
    };
    start({spec});
    events_.wait_for<event::ServiceReady>(1);
    EXPECT_EQ(stop().cause, PodEnd::Cause::stopped);
    const auto notices = events_.all<event::Notice>();
    ASSERT_THAT(notices, SizeIs(1));
    EXPECT_EQ(notices[0].step, "service:web");
    EXPECT_EQ(notices[0].message, "the copy cannot be made");
}

TEST_F(PodPreparations, HoldUpNothingButTheirService) {
    auto late = waiting("late");
    auto after = stand_in("after");
    after.after = {"late"};
    start({late, listener("other"), after});
    began_.get_future().wait();
    events_.wait_for<event::ServiceReady>(1);
    EXPECT_THAT(started(), ElementsAre("other"));
    go_on_ = true;
    events_.wait_for<event::ServiceReady>(3);
    EXPECT_THAT(started(), ElementsAre("other", "late", "after"));
    EXPECT_EQ(stop().cause, PodEnd::Cause::stopped);
}

TEST_F(PodPreparations, EndWithThePod) {
    start({waiting("late")});
    began_.get_future().wait();
    EXPECT_EQ(stop().cause, PodEnd::Cause::stopped);
    EXPECT_EQ(stopped_, 1);
    EXPECT_THAT(started(), SizeIs(0));
}

}  // namespace
}  // namespace podctl::serve
