#include "run_ledger.hpp"

#include "paced_output.hpp"

#include <gmock/gmock.h>

namespace podctl::cli {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using LedgerClock = Meter::Clock;
constexpr LedgerClock::time_point begin{1'000s};

class Ledger : public testing::Test {
protected:
    void tell(const Event& event, std::chrono::milliseconds at = 0ms) {
        ledger.observe(event, begin + at);
    }
    std::string ended(int exit_code) const {
        return ledger.ended({exit_code == 0, exit_code, 90s, 0}).text;
    }
    RunLedger ledger;
};

TEST_F(Ledger, SaysThatThereWasNothingToDo) {
    tell(event::StepSkipped{"a", "it is there"});
    tell(event::StepFinished{"preflight", 10ms, false});
    EXPECT_EQ(ended(0), "nothing to do: 2 kept, looked at in 1m30s");
    tell(event::StepFinished{"b", 10ms, true});
    EXPECT_EQ(ended(0), "done in 1m30s");
}

TEST_F(Ledger, SaysWhatWasInterruptedAndThatItGoesOn) {
    EXPECT_EQ(ended(130), "ended by SIGINT after 1m30s");
    tell(event::StepStarted{"model:x"});
    tell(event::StepStarted{"python.install"});
    tell(event::StepFailed{"model:x", ErrorKind::interrupted, "stopped", ""});
    EXPECT_EQ(ended(130),
              "interrupted by SIGINT after 1m30s: model:x, python.install were under way; run it "
              "again to "
              "go on");
    EXPECT_EQ(ended(4), "ended with exit code 4 after 1m30s");
}

TEST_F(Ledger, NamesWhatTookLongestOnceThePodIsReady) {
    tell(event::RunStarted{"pod.yaml", "/x", "1"});
    for (const auto& [step, took] : std::vector<std::pair<const char*, std::chrono::milliseconds>>{
             {"a", 5s}, {"b", 900ms}, {"c", 22s}, {"d", 3s}, {"e", 4s}})
        tell(event::StepFinished{step, took, true});
    EXPECT_EQ(ledger.launched(begin + 38s).text,
              "ready 38.0s after the beginning; slowest: c 22.0s, a 5.0s, e 4.0s");
}

TEST_F(Ledger, NothingThatTookLongIsNamed) {
    tell(event::StepFinished{"a", 900ms, true});
    EXPECT_EQ(ledger.launched(begin).text, "");
}

// A hung index must not look like a hung podctl.
TEST(SignsOfLife, GiveASignOfLifeWhereNothingIsToldForAWhile) {
    PlainLines lines{Verbosity::normal};
    lines.of(event::StepStarted{"python.resolve"}, begin);
    EXPECT_THAT(lines.of_silence(begin + 14s), IsEmpty());
    EXPECT_THAT(lines.of_silence(begin + 15s),
                ElementsAre(Field(&Line::text, "still running: python.resolve (15.0s)")));
    EXPECT_THAT(lines.of_silence(begin + 20s), IsEmpty());
    EXPECT_THAT(lines.of_silence(begin + 30s), SizeIs(1));
    lines.of(event::StepFinished{"python.resolve", 31s, true}, begin + 31s);
    EXPECT_THAT(lines.of_silence(begin + 99s), IsEmpty());
}

TEST(SignsOfLife, GiveNoSignOfLifeToWhoWantsQuiet) {
    PlainLines lines{Verbosity::quiet};
    lines.of(event::StepStarted{"python.resolve"}, begin);
    EXPECT_THAT(lines.of_silence(begin + 60s), IsEmpty());
}

}  // namespace
}  // namespace podctl::cli
