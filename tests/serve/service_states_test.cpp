#include "service_machine.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <vector>

// A service's states without a process: what happens is told, and the time is an argument.
namespace podctl::serve {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Effect = ServiceMachine::Effect;
using Reboot = ServiceMachine::Reboot;
using State = ServiceMachine::State;
using Verdict = ServiceMachine::Verdict;
using Cause = Verdict::Cause;
using Kind = Verdict::Kind;

constexpr ExitStatus well{}, crash{.code = 3, .signal = 0}, killed{.code = 0, .signal = SIGKILL},
    terminated{.code = 0, .signal = SIGTERM};

class ServiceStates : public testing::Test {
protected:
    static ServicePolicy policy_with(tmpl::Restart restart) {
        return {.restart = restart,
                .back_off = {.first = 1s, .longest = 5s, .give_up_after = 5, .healthy = 10min},
                .ready_timeout = 2min,
                .grace = 8s};
    }
    ServiceMachine& machine_with(const ServicePolicy& policy) { return machine_.emplace(policy); }
    ServiceMachine& machine() { return *machine_; }
    void pass(milliseconds time) { now += time; }

    // As far as that from a state in which it may start.
    void start() { machine().started(now); }
    void become_ready() {
        start();
        machine().answered(now);
    }
    // Its leader ends by itself, and nothing is left of its group.
    Verdict end(const ExitStatus& status, Reboot reboot = Reboot::none) {
        EXPECT_EQ(machine().exited(status, now), Effect::kill);
        EXPECT_EQ(machine().state(), State::ending);
        return machine().ended(now, reboot);
    }
    // The wait is over to the millisecond.
    void wait_out(const Verdict& verdict) {
        ASSERT_EQ(machine().state(), State::backing_off);
        EXPECT_EQ(machine().next_deadline(), now + verdict.wait);
        if (verdict.wait > 0ms) {
            EXPECT_EQ(machine().tick(now + verdict.wait - 1ms), Effect::none);
        }
        pass(verdict.wait);
        EXPECT_EQ(machine().tick(now), Effect::spawn);
    }

    ServiceMachine::Time now{};

private:
    std::optional<ServiceMachine> machine_{policy_with(tmpl::Restart::on_failure)};
};

TEST_F(ServiceStates, IsReadyOnceItAnswers) {
    EXPECT_EQ(machine().state(), State::waiting);
    EXPECT_EQ(machine().next_deadline(), std::nullopt);
    start();
    EXPECT_EQ(machine().state(), State::starting);
    EXPECT_FALSE(machine().was_ready());
    EXPECT_EQ(machine().next_deadline(), now + 2min);
    pass(1min);
    machine().answered(now);
    EXPECT_EQ(machine().state(), State::ready);
    EXPECT_TRUE(machine().was_ready());
    EXPECT_EQ(machine().next_deadline(), std::nullopt);
    EXPECT_EQ(machine().tick(now + 24h), Effect::none);
}

TEST_F(ServiceStates, IsReadyByItsStartWhereNobodyAsksIt) {
    auto policy = policy_with(tmpl::Restart::on_failure);
    policy.ready_by = ServicePolicy::ReadyBy::start;
    machine_with(policy);
    start();
    EXPECT_EQ(machine().state(), State::ready);
}

TEST_F(ServiceStates, FailForGoodBeforeItWasEverReadyWhateverThePolicy) {
    for (const auto restart :
         {tmpl::Restart::always, tmpl::Restart::on_failure, tmpl::Restart::never}) {
        for (const auto& status : {crash, well}) {
            machine_with(policy_with(restart));
            start();
            const auto verdict = end(status);
            EXPECT_EQ(verdict.kind, Kind::fails);
            EXPECT_EQ(verdict.reason, status.code == 3
                                          ? "ended with exit code 3 before it was ready"
                                          : "ended with exit code 0 before it was ready");
            EXPECT_EQ(machine().state(), State::stopped);
        }
    }
}

TEST_F(ServiceStates, BackOffLongerForEachCrashOfARowAndThenGiveUp) {
    std::vector<milliseconds> waits;
    std::vector<int> attempts;
    become_ready();
    auto verdict = end(crash);
    while (verdict.kind == Kind::restarts && waits.size() < 100) {
        EXPECT_EQ(verdict.reason, "ended with exit code 3");
        waits.push_back(verdict.wait);
        attempts.push_back(verdict.attempt);
        wait_out(verdict);
        become_ready();
        verdict = end(crash);
    }
    EXPECT_THAT(waits, ElementsAre(1s, 2s, 4s, 5s));
    EXPECT_THAT(attempts, ElementsAre(2, 3, 4, 5));
    EXPECT_EQ(verdict.kind, Kind::fails);
    EXPECT_EQ(verdict.reason, "ended with exit code 3, and has failed 5 times in a row");
    EXPECT_EQ(machine().state(), State::stopped);
}

TEST_F(ServiceStates, CountFromTheStartAfterAHealthyRunAlone) {
    become_ready();
    wait_out(end(crash));
    become_ready();
    pass(10min - 1ms);
    const auto second = end(crash);
    EXPECT_EQ(second.attempt, 3);
    wait_out(second);
    start();
    pass(1min);
    machine().answered(now);  // health counts from here
    pass(10min);
    const auto after = end(crash);
    EXPECT_EQ(after.attempt, 2);
    EXPECT_EQ(after.wait, 1s);
}

TEST_F(ServiceStates, TakeAnEndBeforeReadinessForAFailureOfTheRow) {
    become_ready();
    wait_out(end(crash));
    start();
    const auto verdict = end(well);
    EXPECT_EQ(verdict.kind, Kind::restarts);
    EXPECT_EQ(verdict.wait, 2s);
    EXPECT_EQ(verdict.reason, "ended with exit code 0");
}

TEST_F(ServiceStates, FollowThePolicyAfterAnExitOfZero) {
    for (const auto restart : {tmpl::Restart::on_failure, tmpl::Restart::never}) {
        machine_with(policy_with(restart));
        become_ready();
        EXPECT_EQ(end(well).kind, Kind::stops);
        EXPECT_EQ(machine().state(), State::stopped);
    }
    machine_with(policy_with(tmpl::Restart::always));
    for (int run = 0; run < 20; ++run) {  // more often than a failure would be tried
        become_ready();
        const auto verdict = end(well);
        EXPECT_EQ(verdict.wait, 1s);
        wait_out(verdict);
    }
}

TEST_F(ServiceStates, EndARowOfCrashesByAnExitOfZero) {
    machine_with(policy_with(tmpl::Restart::always));
    become_ready();
    wait_out(end(crash));
    become_ready();
    wait_out(end(well));
    become_ready();
    EXPECT_EQ(end(crash).wait, 1s);
}

TEST_F(ServiceStates, FailByTheFirstCrashWhereNothingIsRestarted) {
    machine_with(policy_with(tmpl::Restart::never));
    become_ready();
    const auto verdict = end(crash);
    EXPECT_EQ(verdict.kind, Kind::fails);
    EXPECT_EQ(verdict.reason, "ended with exit code 3");
    EXPECT_EQ(verdict.cause, Cause::exit);
}

TEST_F(ServiceStates, TellAKillFromElsewhere) {
    machine_with(policy_with(tmpl::Restart::never));
    become_ready();
    EXPECT_EQ(end(killed).cause, Cause::killed_from_elsewhere);
}

TEST_F(ServiceStates, HaveNoProcessWhileTheirStartIsPrepared) {
    machine_with(policy_with(tmpl::Restart::on_failure));
    machine().preparing();
    EXPECT_EQ(machine().state(), State::preparing);
    EXPECT_EQ(machine().next_deadline(), std::nullopt);
    EXPECT_EQ(machine().tick(now), Effect::none);
    // What was prepared before a restart was asked for may be old.
    EXPECT_EQ(machine().restart(now), Effect::none);
    EXPECT_EQ(machine().state(), State::waiting);
    machine().preparing();
    EXPECT_EQ(machine().stop(now, 8s), Effect::none);
    EXPECT_EQ(machine().state(), State::stopped);
}

TEST_F(ServiceStates, StopAtOnceWhatDoesNotRun) {
    EXPECT_EQ(machine().stop(now, 8s), Effect::none);
    EXPECT_EQ(machine().state(), State::stopped);
    EXPECT_EQ(machine().stop(now, 8s), Effect::none);
    EXPECT_EQ(machine().state(), State::stopped);

    machine_with(policy_with(tmpl::Restart::on_failure));
    become_ready();
    const auto verdict = end(crash);
    ASSERT_EQ(machine().state(), State::backing_off);
    EXPECT_EQ(machine().stop(now, 8s), Effect::none);
    EXPECT_EQ(machine().state(), State::stopped);
    EXPECT_EQ(machine().tick(now + verdict.wait), Effect::none);
}

TEST_F(ServiceStates, StopWhatRunsByTermAndWaitForItsGroup) {
    for (const bool is_ready : {false, true}) {
        machine_with(policy_with(tmpl::Restart::always));
        start();
        if (is_ready) machine().answered(now);
        EXPECT_EQ(machine().stop(now, 3s), Effect::terminate);
        EXPECT_EQ(machine().state(), State::ending);
        EXPECT_EQ(machine().next_deadline(), now + 3s);
        // A second one changes nothing, however short its grace.
        EXPECT_EQ(machine().stop(now, 0s), Effect::none);
        EXPECT_EQ(machine().next_deadline(), now + 3s);
        EXPECT_EQ(machine().exited(terminated, now), Effect::none);
        EXPECT_EQ(machine().state(), State::ending);
        // Its marker does not bring it back.
        EXPECT_EQ(machine().ended(now, Reboot::asked_for).kind, Kind::stops);
        EXPECT_EQ(machine().state(), State::stopped);
    }
}

TEST_F(ServiceStates, StopWhatIsEndingByItself) {
    become_ready();
    EXPECT_EQ(machine().exited(crash, now), Effect::kill);
    EXPECT_EQ(machine().stop(now, 8s), Effect::none);
    EXPECT_EQ(machine().ended(now, Reboot::none).kind, Kind::stops);
    EXPECT_EQ(machine().state(), State::stopped);
}

TEST_F(ServiceStates, KillAfterTheGraceWhatIgnoresTermUntilItHasEnded) {
    become_ready();
    EXPECT_EQ(machine().stop(now, 3s), Effect::terminate);
    EXPECT_EQ(machine().tick(now + 3s - 1ms), Effect::none);
    pass(3s);
    EXPECT_EQ(machine().tick(now), Effect::kill);
    EXPECT_EQ(machine().tick(now + 2s - 1ms), Effect::none);
    pass(2s);
    EXPECT_EQ(machine().tick(now), Effect::kill);  // its leader may hang in the kernel for long
    EXPECT_EQ(machine().exited(killed, now), Effect::none);
    EXPECT_EQ(machine().ended(now, Reboot::none).kind, Kind::stops);
}

TEST_F(ServiceStates, KillTheRestOfAGroupWhoseLeaderHasEndedAndThenGiveItUp) {
    become_ready();
    EXPECT_EQ(machine().stop(now, 3s), Effect::terminate);
    EXPECT_EQ(machine().exited(terminated, now), Effect::none);
    pass(3s);
    EXPECT_EQ(machine().tick(now), Effect::kill);
    EXPECT_EQ(machine().tick(now + 2s - 1ms), Effect::none);
    EXPECT_EQ(machine().tick(now + 2s), Effect::settle);

    machine_with(policy_with(tmpl::Restart::on_failure));
    become_ready();
    EXPECT_EQ(machine().exited(crash, now), Effect::kill);
    EXPECT_EQ(machine().tick(now + 2s), Effect::settle);
}

TEST_F(ServiceStates, EndWhatIsNotReadyInTime) {
    start();
    EXPECT_EQ(machine().tick(now + 2min - 1ms), Effect::none);
    pass(2min);
    EXPECT_EQ(machine().tick(now), Effect::terminate);
    EXPECT_EQ(machine().next_deadline(), now + 8s);
    EXPECT_EQ(machine().exited(killed, now), Effect::none);
    const auto verdict = machine().ended(now, Reboot::none);
    EXPECT_EQ(verdict.kind, Kind::fails);
    EXPECT_EQ(verdict.cause, Cause::not_ready_in_time);
    EXPECT_THAT(verdict.reason, HasSubstr("was not ready within 2m"));
}

TEST_F(ServiceStates, StartAgainWhatWasReadyBeforeAndIsNotInTime) {
    become_ready();
    wait_out(end(crash));
    start();
    pass(2min);
    EXPECT_EQ(machine().tick(now), Effect::terminate);
    EXPECT_EQ(machine().exited(well, now), Effect::none);
    const auto verdict = machine().ended(now, Reboot::none);
    EXPECT_EQ(verdict.kind, Kind::restarts);
    EXPECT_EQ(verdict.attempt, 3);
    wait_out(verdict);
    start();
    EXPECT_EQ(machine().next_deadline(), now + 2min);
}

TEST_F(ServiceStates, RebootAtOnceWithoutCountingAFailure) {
    become_ready();
    wait_out(end(crash));
    become_ready();
    const auto verdict = end(well, Reboot::asked_for);
    EXPECT_EQ(verdict.kind, Kind::restarts);
    EXPECT_EQ(verdict.wait, 0s);
    wait_out(verdict);
    become_ready();
    EXPECT_EQ(end(crash).wait, 2s);
}

// One that reboots for ever would never be ready, nor ever fail.
TEST_F(ServiceStates, GoOnWithTheTimeForReadinessOverAReboot) {
    start();
    const auto by = machine().next_deadline();
    pass(1min);
    wait_out(end(well, Reboot::asked_for));
    start();
    EXPECT_EQ(machine().next_deadline(), by);
}

TEST_F(ServiceStates, RestartWhatRunsOnceItHasEnded) {
    become_ready();
    EXPECT_EQ(machine().restart(now), Effect::terminate);
    EXPECT_TRUE(machine().is_restarting());
    EXPECT_EQ(machine().next_deadline(), now + 8s);
    EXPECT_EQ(machine().exited(terminated, now), Effect::none);
    const auto verdict = machine().ended(now, Reboot::none);
    EXPECT_EQ(verdict.kind, Kind::restarts);
    EXPECT_EQ(verdict.wait, 0s);
    EXPECT_EQ(machine().state(), State::waiting);
    EXPECT_TRUE(machine().is_restarting());
    become_ready();
    EXPECT_FALSE(machine().is_restarting());
}

// Neither the restart nor the KILL of an earlier run says anything of this one.
TEST_F(ServiceStates, TakeEachRunByItself) {
    become_ready();
    EXPECT_EQ(machine().restart(now), Effect::terminate);
    EXPECT_EQ(machine().exited(terminated, now), Effect::none);
    machine().ended(now, Reboot::none);
    become_ready();
    const auto verdict = end(crash);
    EXPECT_EQ(verdict.reason, "ended with exit code 3");
    wait_out(verdict);
    become_ready();
    EXPECT_EQ(machine().stop(now, 3s), Effect::terminate);
    EXPECT_EQ(machine().exited(terminated, now), Effect::none);
    EXPECT_EQ(machine().tick(now + 3s), Effect::kill);
}

TEST_F(ServiceStates, RestartForgivesFailuresAndWakesWhatDoesNotRun) {
    become_ready();
    wait_out(end(crash));
    become_ready();
    EXPECT_EQ(end(crash).wait, 2s);
    EXPECT_EQ(machine().restart(now), Effect::none);
    EXPECT_EQ(machine().state(), State::waiting);
    EXPECT_EQ(machine().restart(now), Effect::none);
    become_ready();
    EXPECT_EQ(end(crash).wait, 1s);

    EXPECT_EQ(machine().stop(now, 8s), Effect::none);
    ASSERT_EQ(machine().state(), State::stopped);
    EXPECT_EQ(machine().restart(now), Effect::none);
    EXPECT_EQ(machine().state(), State::waiting);
}

TEST_F(ServiceStates, RestartWhatIsEndingUnlessItIsToStop) {
    become_ready();
    EXPECT_EQ(machine().exited(crash, now), Effect::kill);
    EXPECT_EQ(machine().restart(now), Effect::none);
    EXPECT_EQ(machine().ended(now, Reboot::none).kind, Kind::restarts);
    EXPECT_EQ(machine().state(), State::waiting);

    become_ready();
    EXPECT_EQ(machine().stop(now, 8s), Effect::terminate);
    EXPECT_EQ(machine().restart(now), Effect::none);
    EXPECT_EQ(machine().exited(terminated, now), Effect::none);
    EXPECT_EQ(machine().ended(now, Reboot::none).kind, Kind::stops);
    EXPECT_EQ(machine().state(), State::stopped);
}

TEST_F(ServiceStates, AreStoppedWhereNoProcessCanBeHad) {
    machine().not_started();
    EXPECT_EQ(machine().state(), State::stopped);
    EXPECT_EQ(machine().next_deadline(), std::nullopt);
}

}  // namespace
}  // namespace podctl::serve
