#pragma once

#include "podctl/base/error.hpp"
#include "podctl/event/event.hpp"
#include "podctl/run/provision.hpp"
#include "podctl/run/secrets.hpp"
#include "podctl/run/volume_lock.hpp"
#include "podctl/template/template.hpp"

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

// One pod's life: the root's lock, what an earlier podctl left running, provisioning, the launch,
// and the supervision until the pod ends.
namespace podctl::pod {

struct UpRequest {
    const tmpl::Template& pod;
    std::string template_path = {};  // as the user named it, for people and scripts
    plan::Places places = {};
    run::Secrets secrets = {};
    run::Options options = {};           // will_launch is up()'s own to say
    std::vector<std::string> only = {};  // ids of steps, without a launch; empty: all
    // Whether a volume that another podctl works on is waited for.
    run::VolumeLock::Wait wait = run::VolumeLock::Wait::yes;
    enum class Launch { yes, no } launch = Launch::yes;
    std::filesystem::path image_start = {};  // the image's own start script; empty: none
    // Called once this process alone works on the root, before anything is done there, and when it
    // has told of its end, right before others may.
    std::function<void()> on_locked = {}, on_unlocking = {};
    // The signal that has asked for the stop, for the exit code 128+N.
    std::function<int()> stop_signal = {};
    // Gets an error that belongs to no step, before the run's last event.
    std::function<void(const Error&)> on_error = {};
};

// Blocks until the pod has ended, or has been provisioned where nothing is launched. `shown` gets
// every event without the secrets, from RunStarted to RunFinished. With an image's start script a
// pod that has failed leaves its container running: it waits for the stop, or that script's end.
// Returns the exit code (spec §3).
int up(const UpRequest& request, EventSink& shown, const std::stop_token& stop);

// The same wait where there is no pod at all, since its template has an error.
void stay_with_image(const std::filesystem::path& image_start, EventSink& events,
                     const std::stop_token& stop);

}  // namespace podctl::pod
