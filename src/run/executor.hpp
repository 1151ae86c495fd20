#pragma once

#include "podctl/base/error.hpp"
#include "podctl/plan/plan.hpp"

#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>

namespace podctl::run {

// How a step ended.
struct StepEnd {
    enum class State { done, failed } state = State::done;
    std::optional<ErrorKind> failure = {};
};

// Blocks until the step with that id has ended; true when it is done (or is not part of the plan).
using WaitFor = std::function<bool(const std::string& id)>;

class StepRunner {
public:
    virtual ~StepRunner() = default;
    // Does one step, on a thread of the executor's. Must not throw.
    virtual StepEnd run(const plan::Step& step, const WaitFor& wait_for, std::stop_token stop) = 0;
    // A step that is not run because one that it needs has failed.
    virtual void not_run(const plan::Step& step, const std::string& because_of) = 0;
};

// Runs the steps: each once all that it needs is done, at most `jobs` at once beside the downloads
// (32 of them), no two of the same `exclusive`. A failure stops only what needs the step; a stop
// request, what has not started. Returns how each ended; steps that were not run are left out.
std::map<std::string, StepEnd> execute(const plan::Plan& plan, StepRunner& runner, unsigned jobs,
                                       std::stop_token stop);

}  // namespace podctl::run
