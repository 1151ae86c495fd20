#include "podctl/base/names.hpp"
#include "podctl/base/printable.hpp"
#include "podctl/base/wait.hpp"
#include "podctl/serve/control.hpp"
#include "podctl/serve/log.hpp"

#include "../command.hpp"
#include "../events/events.hpp"
#include "../pod_place.hpp"
#include "../put.hpp"
#include "../signals.hpp"
#include "../terminal.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <map>
#include <memory>
#include <utility>

namespace podctl::cli {
namespace {

using namespace std::chrono_literals;

struct LogsArguments {
    PodArguments pod;
    bool follow = false, timestamps = false, raw = false;
    std::optional<std::size_t> tail;
    std::optional<std::chrono::milliseconds> since;
};

// Not inotify: a network file system tells nothing of its changes.
constexpr std::chrono::milliseconds follow_interval = 200ms;
constexpr std::size_t block_size = 64u << 10;

class Logs {
public:
    Logs(const LogsArguments& arguments, const Common& common)
        : arguments_(arguments),
          common_(common),
          places_(find_places(arguments.pod, common)),
          color_(wants_color(common.output.color, STDOUT_FILENO)),
          since_(arguments.since ? utc_time(std::chrono::system_clock::now() - *arguments.since)
                                 : "") {}

    int run() {
        return exit_code_of([this] { return show(); }, signals_);
    }

private:
    int show() {
        serve::check_state(places_.own);
        // Before the first look: when the pod has ended, a last look finds all of it.
        Fd pod;
        if (arguments_.follow) pod = serve::watch_pod(places_.own, signals_.token());
        serve::LogReader reader{places_.logs, chosen_services(static_cast<bool>(pod))};
        if (arguments_.tail) reader.skip_to_last(*arguments_.tail);
        print_all(reader);
        for (bool runs = static_cast<bool>(pod); runs && !reader_gone_; print_all(reader))
            runs = !wait_until_ready({.fd = pod.get()},
                                     std::chrono::steady_clock::now() + follow_interval,
                                     signals_.token());
        return reader_gone_ ? 128 + SIGPIPE : 0;
    }

    // None: all. Throws Error{usage} for one that has no log.
    std::vector<std::string> chosen_services(bool pod_runs) {
        auto known = serve::logged_services(places_.logs);
        for (const auto& service : known)
            width_ = std::max(width_, service.size());
        if (arguments_.pod.services.empty()) {
            if (known.empty() && !pod_runs)
                throw Error{ErrorKind::launch,
                            "no pod has run any service in " + places_.root.string()};
            return {};
        }
        for (const auto& wanted : arguments_.pod.services) {
            if (wanted == serve::podctl_log || std::ranges::count(known, wanted) > 0) continue;
            const auto near = nearest(wanted, known);
            throw Error{ErrorKind::usage, "there is no log of a service " + wanted,
                        near ? "did you mean " + *near + "?"
                             : fmt::format("there are logs of: {}", fmt::join(known, ", "))};
        }
        return arguments_.pod.services;
    }

    void print_all(serve::LogReader& reader) {
        while (!reader_gone_) {
            const auto line = reader.next();
            if (!line) break;
            // Times are written so that their order is the letters'.
            if (line->time < since_) continue;
            pending_ += text_of(*line);
            if (pending_.size() >= block_size) write();
        }
        write();
    }

    std::string text_of(const serve::LogLine& line) {
        if (common_.output.format == Format::json)
            return event_line(event::ServiceOutput{line.service, line.text}, line.time) + "\n";
        std::string text = shown(line.text);
        if (arguments_.timestamps) text = printable(line.time, Lines::one) + " " + text;
        if (arguments_.pod.services.size() == 1) return text + "\n";
        width_ = std::max(width_, line.service.size());
        return fmt::format("{}{:<{}} |{} {}\n", color_ ? color_of(line.service) : "",
                           printable(line.service, Lines::one), width_, color_ ? "\x1b[0m" : "",
                           text);
    }

    std::string shown(const std::string& text) const {
        if (arguments_.raw) return text;
        return color_ ? printable_with_colors(text) : printable_without_colors(text);
    }

    // As docker compose: one for each, and none of those that mean something else here.
    std::string color_of(const std::string& service) {
        const auto [found, is_new] = colors_.try_emplace(service, 0);
        constexpr std::array codes{36, 35, 34, 96, 95, 94};
        if (is_new) found->second = codes[(colors_.size() - 1) % codes.size()];
        return fmt::format("\x1b[{}m", found->second);
    }

    void write() {
        // Named, since freeing it may change errno.
        const std::string text = std::exchange(pending_, {});
        if (try_composed(To::out, text)) return;
        if (errno != EPIPE) throw system_error("cannot write to stdout", errno);
        reader_gone_ = true;
    }

    const LogsArguments& arguments_;
    const Common& common_;
    StopSignals signals_;
    plan::Places places_;
    const bool color_;
    const std::string since_;  // a time as lines have it; empty: all
    std::size_t width_ = 0;
    std::map<std::string, int> colors_;
    std::string pending_;  // what is not written yet
    bool reader_gone_ = false;
};

}  // namespace

void add_logs(CLI::App& app, Common& common, Chosen& chosen) {
    auto* command = app.add_subcommand("logs", "what the pod's services have printed");
    command->footer(
        "All services in the order of time, or some of them; also after the pod has ended. "
        "`podctl logs podctl` shows what podctl itself has told, asked and run.\n\n"
        "Examples:\n"
        "  podctl logs -n 100\n"
        "  podctl logs -f comfyui app --since 10m\n"
        "  podctl logs pod.yaml app --timestamps");
    auto arguments = std::make_shared<LogsArguments>();
    add_pod_and_service_arguments(*command, arguments->pod, Services::any);
    command->add_flag("-f,--follow", arguments->follow, "go on until the pod ends");
    command->add_option("-n,--tail", arguments->tail, "the last lines of each service only")
        ->type_name("N");
    add_duration_flag(*command, "--since", arguments->since,
                      "what was printed in this time only: 10m");
    command->add_flag("-t,--timestamps", arguments->timestamps, "with the time of each line");
    command->add_flag(
        "--raw", arguments->raw,
        "as the services have written it, also what a terminal obeys: without it only "
        "colours are kept, and all other control characters are shown as \\x1b");
    add_common_flags(*command, common);
    when_chosen(*command, chosen, [&common, arguments] { return Logs{*arguments, common}.run(); });
}

}  // namespace podctl::cli
