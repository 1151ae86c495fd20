#include "podctl/base/stop.hpp"
#include "podctl/base/units.hpp"
#include "podctl/run/volume_lock.hpp"
#include "podctl/serve/control.hpp"
#include "podctl/serve/last_run.hpp"

#include "../command.hpp"
#include "../events/events.hpp"
#include "../pod_place.hpp"
#include "../put.hpp"
#include "../signals.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>

namespace podctl::cli {
namespace {

using serve::PodStatus;
using serve::RunningService;
using WallClock = std::chrono::system_clock;

std::chrono::milliseconds since(WallClock::time_point time) {
    return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(WallClock::now() - time),
                    std::chrono::milliseconds{0});
}

int restarts_of(const RunningService& service) {
    return std::max(0, service.starts - 1);
}

// Whoever works on the volume: this pod's podctl, or another pod's.
using VolumeHolder = std::optional<run::LockHolder>;
// Of the run before, where none is on.
using LastRun = std::optional<serve::LastRun>;

std::string step_line(const serve::PodStep& step) {
    if (!step.progress) return step.step;
    return line_of(event::StepProgress{step.step}, *step.progress).text;
}

using StatusRow = std::array<std::string, 6>;

StatusRow row_of(const RunningService& service) {
    const bool runs = service.pid != 0;
    const auto or_dash = [](std::string text) { return text.empty() ? "-" : std::move(text); };
    return {service.name,
            std::string{to_string(service.state)},
            runs ? std::to_string(service.pid) : "-",
            runs ? format_duration(since(service.started)) : "-",
            std::to_string(restarts_of(service)) +
                (service.last_exit.empty() ? "" : " (" + service.last_exit + ")"),
            or_dash(service.url)};
}

void print_services(const std::vector<RunningService>& services) {
    std::vector<StatusRow> rows{
        {"SERVICE", "STATE", "PID", "UPTIME", "RESTARTS (LAST EXIT)", "URL"}};
    for (const auto& service : services)
        rows.push_back(row_of(service));
    std::array<std::size_t, std::tuple_size_v<StatusRow>> widths{};
    for (const auto& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], row[i].size());
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i)
            line += fmt::format("{:<{}}  ", row[i], widths[i]);
        line.erase(line.find_last_not_of(' ') + 1);
        put(To::out, "  " + line + "\n");
    }
}

std::string end_of(const serve::LastRun& run) {
    if (!run.end)
        return fmt::format(
            "began {} ago and has told of no end: it was killed, perhaps for want of memory, or "
            "the "
            "machine has stopped",
            format_duration(since(run.started)));
    const int code = run.end->exit_code;
    std::string how = "ended well";
    if (code > 128) how = fmt::format("was stopped (exit code {})", code);
    if (code > 0 && code <= 128) how = fmt::format("failed with exit code {}", code);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::max(run.end->at - run.started, WallClock::duration::zero()));
    return fmt::format("{} {} ago, after {}", how, format_duration(since(run.end->at)),
                       format_duration(took));
}

void print_last_run(const serve::LastRun& run) {
    put(To::out, fmt::format("the last run ({}) {}\n", run.template_path, end_of(run)));
    for (const auto& it : run.failures) {
        put(To::out,
            fmt::format("  failed  {}{}\n", it.step.empty() ? "" : it.step + ": ", it.message));
        if (!it.hint.empty()) put(To::out, fmt::format("          -> {}\n", it.hint));
    }
    if (!run.end || run.end->exit_code != 0)
        put(To::out, "`podctl logs podctl` has all that it told\n");
}

void print_text(const std::string& root, const std::optional<PodStatus>& status,
                const VolumeHolder& holder, const LastRun& last) {
    // Its own podctl holds it while it is provisioned, which its steps tell.
    if (holder && !(status && status->pid == holder->pid && is_on_this_host(*holder)))
        put(To::out, fmt::format("{} holds {}\n", to_string(*holder), root));
    if (!status) {
        put(To::out, "no pod runs in " + root + "\n");
        if (last) print_last_run(*last);
        return;
    }
    if (status->phase == PodStatus::Phase::left_behind) {
        put(To::out, "podctl was killed and has left services running in " + root +
                         ": `podctl up` and `podctl down` end them\n");
    } else {
        const auto uptime =
            status->version.empty() ? "" : ", up " + format_duration(since(status->started));
        put(To::out, fmt::format("pod in {}: {} (podctl {}, pid {}{})\n", root,
                                 to_string(status->phase), status->version, status->pid, uptime));
    }
    if (last) print_last_run(*last);
    for (const auto& step : status->steps)
        if (step.state == serve::PodStep::State::running)
            put(To::out, "  " + step_line(step) + "\n");
    if (!status->services.empty()) print_services(status->services);
    if (status->failed_nodes.empty()) return;
    put(To::out, "ComfyUI could not import, and goes on without:\n");
    for (const auto& it : status->failed_nodes)
        put(To::out, fmt::format("  {}: {}\n", it.node, it.reason));
}

struct StatusArguments {
    PodArguments pod;
    bool watch = false;
};

int show_status(const PodArguments& arguments, const Common& common, const StopSignals& signals) {
    const auto places = find_places(arguments, common);
    const auto status =
        serve::find_pod_status(places.own, places.pids, signals.token(), print_notice);
    const auto holder = run::holder_of_volume(places);
    using enum PodStatus::Phase;
    const bool is_over = !status || status->phase == failed || status->phase == left_behind;
    const auto last = is_over ? serve::find_last_run(places.own, print_notice) : std::nullopt;
    if (common.output.format == Format::json)
        put_event(StatusTold{.root = places.root,
                             .local = places.own,
                             .volume_holder = holder,
                             .pod = status,
                             .last_run = last,
                             .now = WallClock::now()});
    else if (common.output.verbosity != Verbosity::quiet)
        print_text(places.root.string(), status, holder, last);
    const bool is_ready = status && status->phase == PodStatus::Phase::ready;
    return is_ready ? 0 : exit_code(ErrorKind::launch);
}

// As watch(1): the screen is written anew; what is no terminal gets one after the other.
int watch_status(const PodArguments& arguments, const Common& common, const StopSignals& signals) {
    constexpr std::chrono::seconds interval{2};
    const bool is_screen = ::isatty(STDOUT_FILENO) && common.output.format == Format::text;
    do {
        if (is_screen) put_composed(To::out, "\x1b[H\x1b[J");
        show_status(arguments, common, signals);
        flush_out();
    } while (wait_for(interval, signals.token()));
    return 128 + signals.signal();
}

}  // namespace

void add_status(CLI::App& app, Common& common, Chosen& chosen) {
    auto* command = app.add_subcommand("status", "what the running pod does, and its services");
    command->alias("ps");
    command->footer(
        "Exit code: 0 everything is ready; 5 no pod runs, it is not ready yet, or something of it "
        "failed.\n\n"
        "Examples:\n"
        "  podctl status\n"
        "  podctl status pod.yaml --json\n"
        "  podctl status --watch\n"
        "  until podctl status -q --root /workspace; do sleep 5; done");
    auto arguments = std::make_shared<StatusArguments>();
    add_pod_argument(*command, arguments->pod);
    command->add_flag("-w,--watch", arguments->watch, "show it again every two seconds");
    add_common_flags(*command, common);
    when_chosen(*command, chosen, [&common, arguments] {
        const StopSignals signals;
        const auto show = arguments->watch ? watch_status : show_status;
        return exit_code_of([&] { return show(arguments->pod, common, signals); }, signals);
    });
}

}  // namespace podctl::cli
