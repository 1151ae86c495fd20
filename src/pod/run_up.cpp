#include "podctl/base/error.hpp"
#include "podctl/event/redacting_sink.hpp"
#include "podctl/pod/up.hpp"
#include "podctl/run/lock.hpp"
#include "podctl/run/state.hpp"
#include "podctl/serve/control.hpp"
#include "podctl/serve/image_start.hpp"
#include "podctl/serve/last_run.hpp"
#include "podctl/serve/progress_page.hpp"
#include "podctl/serve/serve.hpp"

#include "launch.hpp"
#include "volume_hold.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <optional>

namespace podctl::pod {
namespace {

// A container that ended here would be started again and again, and nobody could look into it.
bool has_to_stay_for(const serve::ImageStart& image, const std::stop_token& stop) {
    return image.runs() && !stop.stop_requested();
}

void tell_of_stay(EventSink& events) {
    events.emit(event::Notice{"",
                              "the pod has failed; the container stays, so that it can be looked "
                              "into: `podctl up` in it is another try"});
}

// Failed steps end a run with 4, whatever was wrong with them, and a machine that does not fit with
// 3 (spec §3).
std::optional<ErrorKind> failure_of(const run::Provisioned& result) {
    if (!result.failure) return std::nullopt;
    const bool is_told_apart =
        *result.failure == ErrorKind::interrupted || *result.failure == ErrorKind::preflight;
    return is_told_apart ? *result.failure : ErrorKind::io;
}

class Up {
public:
    Up(const UpRequest& request, EventSink& shown, const std::stop_token& stop)
        : request_(request),
          stop_(stop),
          places_(request.places),
          redact_(run::redactor_of(request.secrets)),
          page_(request.pod, shown),
          record_(page_),
          control_(record_, stop, [this] { return page_.port(); }),
          events_(control_, redact_) {}

    int run() {
        const auto started = Clock::now();
        events_.emit(
            event::RunStarted{request_.template_path, places_.root.string(), PODCTL_VERSION});
        std::optional<serve::ImageStart> image;
        if (!request_.image_start.empty()) image.emplace(request_.image_start, events_);
        const int code = code_of(provision_and_launch_or_tell());
        events_.emit(event::RunFinished{code == 0, code, since(started), downloaded_bytes_});
        if (code != 0 && image && has_to_stay_for(*image, stop_))
            stay_for(*image);
        else
            unlock();
        return code;
    }

private:
    void unlock() {
        if (lock_ && request_.on_unlocking) request_.on_unlocking();
        lock_.reset();
    }

    // Others may have the root, and the next `up` gets the port as well, where the page says
    // meanwhile that this one has failed.
    void stay_for(serve::ImageStart& image) {
        tell_of_stay(events_);
        if (lock_) {
            std::stop_source released;
            const std::stop_callback on_stop{stop_, [&] { released.request_stop(); }};
            const serve::ControlServer server{places_.own, control_,
                                              [&] { released.request_stop(); }};
            if (server.is_reachable()) page_.stay();
            unlock();
            if (server.is_reachable()) image.wait(released.get_token());
            page_.close();
        }
        image.wait(stop_);
    }

    int code_of(std::optional<ErrorKind> failure) const {
        if (!failure) return 0;
        if (*failure == ErrorKind::interrupted && request_.stop_signal)
            return 128 + request_.stop_signal();
        return exit_code(*failure);
    }

    bool launches() const {
        return request_.launch == UpRequest::Launch::yes && request_.only.empty() &&
               (request_.pod.comfyui || !request_.pod.services.empty());
    }

    std::optional<ErrorKind> provision_and_launch_or_tell() {
        try {
            return provision_and_launch();
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::interrupted) {
                record_.fail({error.kind(), redact_(error.message()), redact_(error.hint())});
                if (request_.on_error) request_.on_error(error);
            }
            return error.kind();
        }
    }

    std::optional<ErrorKind> provision_and_launch() {
        auto notices = run::claim_own_folder(places_);
        lock_.emplace(places_.own_lock, places_.root);
        if (request_.on_locked) request_.on_locked();
        record_.begin(places_.own);
        if (places_.own != places_.state)
            std::ranges::move(run::claim_state(places_.state), std::back_inserter(notices));
        for (const auto& notice : notices)
            events_.emit(event::Notice{"", notice});
        serve::release_failed_pod(places_.own, stop_);
        const serve::ControlServer server{places_.own, control_,
                                          [] { ::kill(::getpid(), SIGTERM); }};
        end_left_behind(places_);
        VolumeHold volume{places_, request_.wait, events_, stop_};
        // An earlier version had all of it on the volume; one that lives holds that.
        if (const auto earlier = plan::places_of(request_.pod, places_.root);
            earlier.pids != places_.pids && std::filesystem::exists(earlier.pids))
            end_left_behind(earlier);
        auto options = request_.options;
        options.will_launch = launches();
        run::Provisioner provisioner{request_.pod, places_, request_.secrets, options, events_};
        auto plan = make_plan(provisioner, volume);
        if (!request_.only.empty()) plan = plan::only(plan, request_.only);
        if (launches()) page_.follow(plan);
        // Whoever has environments there keeps the volume for the pod's life.
        const auto let_go = [&] {
            if (!places_.keeps_environments_on_volume()) volume.release();
        };
        const auto result = provisioner.provision(
            plan, volume.token(), {.require = [&] { volume.require(); }, .on_done = let_go});
        downloaded_bytes_ = result.downloaded_bytes;
        if (!stop_.stop_requested()) volume.require();
        if (const auto failure = failure_of(result)) return failure;
        let_go();
        if (!launches()) {
            provisioner.report_changes(plan, stop_);
            provisioner.keep_environments(plan, stop_);
            if (stop_.stop_requested()) return ErrorKind::interrupted;
            return std::nullopt;
        }
        page_.close();
        return launch({request_.pod, provisioner, plan, control_, redact_, events_}, stop_);
    }

    plan::Plan make_plan(run::Provisioner& provisioner, const VolumeHold& volume) const {
        try {
            return provisioner.make_plan(volume.token());
        } catch (const Error&) {
            // What the loss of the volume has interrupted is told as that.
            if (!stop_.stop_requested()) volume.require();
            throw;
        }
    }

    void end_left_behind(const plan::Places& places) {
        const auto which =
            launches() ? serve::LeftBehind::all : serve::LeftBehind::all_but_services;
        const auto notice = [this](const std::string& text) {
            events_.emit(event::Notice{"", text});
        };
        for (const auto& name : serve::end_left_behind(places.own, places.pids, which,
                                                       serve::PodOptions{}.grace, notice))
            notice(name + " was left running by a podctl that was killed: ended");
    }

    const UpRequest& request_;
    const std::stop_token stop_;
    const plan::Places& places_;
    const Redactor redact_;
    // An event goes up this list: without its secrets to the pod's control, then to the record of
    // this run, then to the page.
    serve::ProgressPage page_;
    serve::LastRunRecord record_;
    serve::PodControl control_;
    RedactingSink events_;
    std::uint64_t downloaded_bytes_ = 0;
    std::optional<run::PodLock> lock_;
};

}  // namespace

int up(const UpRequest& request, EventSink& shown, const std::stop_token& stop) {
    return Up{request, shown, stop}.run();
}

void stay_with_image(const std::filesystem::path& image_start, EventSink& events,
                     const std::stop_token& stop) {
    serve::ImageStart image{image_start, events};
    if (!has_to_stay_for(image, stop)) return;
    tell_of_stay(events);
    image.wait(stop);
}

}  // namespace podctl::pod
