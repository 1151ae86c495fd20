#pragma once

#include "podctl/base/file.hpp"
#include "podctl/run/journal.hpp"

#include "context.hpp"
#include "steps/steps.hpp"
#include "support/error_of.hpp"
#include "support/recording_sink.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace podctl::run {

// What the tests of steps name all the time.
namespace fs = std::filesystem;
using plan::Change;
using test::error_of;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

// One step by itself, with a root of its own: what it finds, does and records.
class StepTest : public testing::Test {
protected:
    static constexpr const char* id = "step";
    static constexpr const char* wish = "fingerprint";

    template <class Action>
    Look look_at(const Action& action, const std::string& fingerprint = wish) {
        const auto step = step_of(action, fingerprint);
        return look(std::get<Action>(step.action), task_of(step));
    }
    // Done and recorded, as provision() has it.
    template <class Action>
    Outcome bring(const Action& action, const std::string& fingerprint = wish) {
        const auto step = step_of(action, fingerprint);
        auto outcome = perform(std::get<Action>(step.action), task_of(step));
        context.journal.put(id, {.fingerprint = fingerprint, .facts = outcome.facts});
        return outcome;
    }
    plan::Step step_of(plan::Action action, const std::string& fingerprint = wish) const {
        return {.id = id, .action = std::move(action), .fingerprint = fingerprint};
    }
    Task task_of(const plan::Step& step) {
        return {
            .step = step, .record = context.journal.find(step.id), .context = context, .stop = {}};
    }
    std::vector<std::string> notices() const {
        std::vector<std::string> messages;
        for (const auto& notice : events.all<event::Notice>())
            messages.push_back(notice.message);
        return messages;
    }

    test::TempDir dir;
    const std::filesystem::path root = dir / "root";
    tmpl::Template pod;
    test::RecordingSink events;
    Context context{.pod = pod,
                    .places = plan::places_of(pod, root),
                    .options = {},
                    .secrets = {},
                    .mirrors = {},
                    .events = events,
                    .journal = Journal{root / ".podctl/journal.jsonl"},
                    .pythons = {}};
};

}  // namespace podctl::run
