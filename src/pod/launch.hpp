#pragma once

#include "podctl/base/error.hpp"
#include "podctl/event/event.hpp"
#include "podctl/event/redact.hpp"
#include "podctl/plan/plan.hpp"
#include "podctl/run/provision.hpp"
#include "podctl/serve/control.hpp"
#include "podctl/template/template.hpp"

#include <chrono>
#include <optional>
#include <stop_token>

namespace podctl::pod {

using Clock = std::chrono::steady_clock;

inline std::chrono::milliseconds since(Clock::time_point start) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
}

// What was provisioned, and who is told of its launch.
struct Launch {
    const tmpl::Template& pod;
    run::Provisioner& provisioner;
    const plan::Plan& plan;
    serve::PodControl& control;
    const Redactor& redact;
    EventSink& events;
};

// Starts the pod's services and stays until the pod ends. One that never became ready gets back the
// environment of the last start that worked, for the next one. Returns what it ended by: nothing,
// launch (told as LaunchFailed), or interrupted.
std::optional<ErrorKind> launch(const Launch& what, const std::stop_token& stop);

}  // namespace podctl::pod
