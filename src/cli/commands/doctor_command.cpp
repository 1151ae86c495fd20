#include "podctl/event/redacting_sink.hpp"
#include "podctl/run/doctor.hpp"
#include "podctl/serve/control.hpp"

#include "../command.hpp"
#include "../events/events.hpp"
#include "../put.hpp"
#include "../signals.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
#include <set>

namespace podctl::cli {
namespace {

using run::Finding;
using run::Findings;

// Without a template: what most pods need.
tmpl::Template usual_pod() {
    tmpl::Template pod;
    pod.name = "doctor";
    pod.comfyui = tmpl::ComfyUi{};
    pod.secrets = {"CIVITAI_API_KEY", "HF_TOKEN"};
    return pod;
}

std::size_t count(const Findings& findings, Finding::Grade grade) {
    return static_cast<std::size_t>(std::ranges::count(findings, grade, &Finding::grade));
}

void print_text(const Findings& findings, bool all) {
    std::size_t width = 0;
    for (const auto& it : findings)
        width = std::max(width, std::min<std::size_t>(it.check.size(), 40));
    for (const auto& it : findings) {
        if (!all && it.grade == Finding::Grade::ok) continue;
        put(To::out,
            fmt::format("{:<4}  {:<{}}  {}\n", word_of(it.grade), it.check, width, it.message));
        if (!it.remedy.empty())
            put(To::out, fmt::format("{:<4}  {:<{}}  -> {}\n", "", "", width, it.remedy));
    }
    put(To::out,
        fmt::format("\n{} ok, {} to look at, {} in the way\n", count(findings, Finding::Grade::ok),
                    count(findings, Finding::Grade::warn), count(findings, Finding::Grade::fail)));
}

void print_json(const Findings& findings) {
    for (const auto& it : findings)
        put_event(it);
    put_event(DoctorFinished{.ok = count(findings, Finding::Grade::ok),
                             .warn = count(findings, Finding::Grade::warn),
                             .fail = count(findings, Finding::Grade::fail)});
}

// What runs of the pod already: its ports are its own. One that cannot be asked is told, and keeps
// nobody from looking at the rest.
std::set<std::uint16_t> ports_of_running(const plan::Places& places, const std::stop_token& stop,
                                         Findings& findings) {
    std::set<std::uint16_t> ports;
    try {
        const auto status = serve::find_pod_status(places.own, places.pids, stop, print_notice);
        if (!status) return ports;
        findings.push_back(
            {"pod", Finding::Grade::ok,
             fmt::format("{} (podctl pid {})", to_string(status->phase), status->pid)});
        if (status->page_port != 0) ports.insert(status->page_port);
        for (const auto& service : status->services)
            if (service.pid != 0 && service.port != 0) ports.insert(service.port);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::launch) throw;
        findings.push_back({"pod", Finding::Grade::warn, error.message(), error.hint()});
    }
    return ports;
}

int examine(const TemplateArguments& arguments, const Common& common) {
    const StopSignals signals;
    auto named = arguments;
    if (named.path.empty()) named.path = template_here();
    const auto pod = named.path.empty() ? usual_pod() : load(named);
    const auto secrets = run::read_secrets(pod);
    const auto redact = run::redactor_of(secrets);
    const auto terminal = make_sink(common.output);
    if (common.output.shows_debug_lines) show_debug_lines(redact);
    RedactingSink events{*terminal, redact};
    Findings findings;
    try {
        const auto places = places_of(pod, common);
        const run::Options options{.purpose = run::Purpose::look,
                                   .store = store_of(pod, places.root, {})};
        run::Provisioner provisioner{pod, places, secrets, options, events};
        const auto plan = provisioner.make_plan(signals.token());
        const auto assessments =
            provisioner.assess(plan, run::Provisioner::Sizes::ask, signals.token());
        const auto own_ports = ports_of_running(places, signals.token(), findings);
        std::ranges::move(provisioner.examine(plan, assessments, own_ports, signals.token()),
                          std::back_inserter(findings));
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted) return 128 + signals.signal();
        throw;
    }
    for (auto& it : findings) {
        it.message = redact(it.message);
        it.remedy = redact(it.remedy);
    }
    if (common.output.format == Format::json) {
        print_json(findings);
    } else {
        print_text(findings, common.output.verbosity != Verbosity::quiet);
    }
    const bool fits = count(findings, Finding::Grade::fail) == 0;
    return fits ? 0 : exit_code(ErrorKind::preflight);
}

}  // namespace

void add_doctor(CLI::App& app, Common& common, Chosen& chosen) {
    auto* command = app.add_subcommand(
        "doctor", "look whether this machine fits a template; exit 0: it does, 3: it does not");
    command->footer(
        "GPU, driver, torch wheel, Python, installer, disk, volume, ports, secrets, and every\n"
        "origin that is fetched from: ok, warn or fail each, with the remedy. Changes nothing.\n"
        "\n"
        "Examples:\n"
        "  podctl doctor pod.yaml\n"
        "  podctl doctor -q pod.yaml    # only what is to be looked at\n"
        "  podctl doctor                # what most pods need");
    auto arguments = std::make_shared<TemplateArguments>();
    add_template_arguments(*command, *arguments);
    add_common_flags(*command, common);
    when_chosen(*command, chosen, [&common, arguments] { return examine(*arguments, common); });
}

}  // namespace podctl::cli
