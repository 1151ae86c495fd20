#include "podctl/base/own_process.hpp"
#include "podctl/base/stop.hpp"
#include "podctl/run/lock.hpp"
#include "podctl/run/state.hpp"
#include "podctl/serve/control.hpp"

#include "../command.hpp"
#include "../events/events.hpp"
#include "../pod_place.hpp"
#include "../put.hpp"
#include "../signals.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <csignal>
#include <memory>

namespace podctl::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

struct DownArguments {
    PodArguments pod;
    std::optional<milliseconds> timeout;
};

// Nothing tells that a lock is free.
constexpr milliseconds lock_interval = 50ms;
// For one that has the lock to serve its socket, and for one that was told to end at once to do so.
constexpr milliseconds patience = 10s;

class Down {
public:
    Down(const DownArguments& arguments, const Common& common)
        : common_(common), places_(find_places(arguments.pod, common)) {
        if (arguments.timeout) at_once_at_ = Clock::now() + *arguments.timeout;
    }

    int run() {
        // Nothing was ever started there; the lock would make the folders.
        if (!std::filesystem::exists(places_.own) && !OwnProcess::find_announced(places_.own))
            return tell("", 0);
        return exit_code_of([this] { return end(); }, signals_);
    }

private:
    int end() {
        for (const auto& notice : run::claim_own_folder(places_))
            print_notice(notice);
        bool asked = false;
        while (true) {
            try {
                return end_what_is_left(asked);
            } catch (const Error& error) {
                if (error.kind() != ErrorKind::locked) throw;
                if (!asked) asked = ask_to_end(serve::Urgency::graceful);
                if (Clock::now() >= give_up_at(asked)) throw;
                end_at_once_when_it_is_time();
            }
            if (!wait_for(lock_interval, signals_.token()))
                throw Error{ErrorKind::interrupted, "stopped"};
        }
    }

    Clock::time_point give_up_at(bool asked) const {
        if (!asked) return started_ + patience;
        return at_once_at_ ? *at_once_at_ + patience : Clock::time_point::max();
    }

    void end_at_once_when_it_is_time() {
        if (told_at_once_ || !at_once_at_ || Clock::now() < *at_once_at_) return;
        told_at_once_ = true;
        ask_to_end(serve::Urgency::at_once);
    }

    // One whose state folder is gone has no socket that could be found, and gets the signal that
    // stands for the same.
    bool ask_to_end(serve::Urgency urgency) const {
        if (serve::ask_to_end(places_.own, urgency, signals_.token())) return true;
        auto podctl = OwnProcess::find_announced(places_.own);
        // As one of an earlier version does.
        if (!podctl && places_.own == places_.state)
            podctl = OwnProcess::find_announced(places_.root);
        if (podctl) podctl->signal(SIGTERM);
        return podctl.has_value();
    }

    // One that has all of it on the volume may be of an earlier version, which has that lock alone.
    std::optional<run::FileLock> lock_of_earlier_version() const {
        if (places_.own != places_.state) return std::nullopt;
        auto lock = run::FileLock::try_lock(places_.lock);
        if (lock) return lock;
        throw Error{
            ErrorKind::locked,
            fmt::format("{} holds {}", to_string(run::last_holder_of_file_lock(places_.lock)),
                        places_.root.string())};
    }

    // Throws Error{locked} while a podctl runs.
    int end_what_is_left(bool asked) {
        const run::PodLock lock{places_.own_lock, places_.root, run::PodLock::For::moment};
        const auto volume = lock_of_earlier_version();
        const auto left = serve::end_left_behind(places_.own, places_.pids, serve::LeftBehind::all,
                                                 serve::PodOptions{}.grace, print_notice);
        if (!left.empty())
            return tell(fmt::format("ended {}, which a podctl that was killed had left running",
                                    fmt::join(left, ", ")),
                        left.size());
        return tell(asked ? "the pod has ended" : "", asked ? 1 : 0);
    }

    int tell(const std::string& ended, std::size_t count) {
        const bool nothing = count == 0;
        if (common_.output.format == Format::json) {
            put_event(DownFinished{places_.root, !nothing});
        } else if (common_.output.verbosity != Verbosity::quiet) {
            put(To::out, (nothing ? "no pod runs in " + places_.root.string() : ended) + "\n");
        }
        return 0;
    }

    const Common& common_;
    StopSignals signals_;
    plan::Places places_;
    const Clock::time_point started_ = Clock::now();
    std::optional<Clock::time_point> at_once_at_;
    bool told_at_once_ = false;
};

}  // namespace

void add_down(CLI::App& app, Common& common, Chosen& chosen) {
    auto* command = app.add_subcommand("down", "end the running pod, and wait until it is gone");
    command->alias("stop");
    command->footer(
        "It ends as with SIGTERM. When nothing runs, that is fine.\n\n"
        "Examples:\n"
        "  podctl down\n"
        "  podctl down pod.yaml --timeout 30s");
    auto arguments = std::make_shared<DownArguments>();
    add_pod_argument(*command, arguments->pod);
    add_duration_flag(*command, "--timeout", arguments->timeout,
                      "what is left by then is killed; absent: each service has its own grace");
    add_common_flags(*command, common);
    when_chosen(*command, chosen, [&common, arguments] { return Down{*arguments, common}.run(); });
}

}  // namespace podctl::cli
