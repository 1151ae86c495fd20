#include "podctl/base/units.hpp"
#include "podctl/event/redacting_sink.hpp"
#include "podctl/run/doctor.hpp"

#include "../command.hpp"
#include "../events/events.hpp"
#include "../put.hpp"
#include "../signals.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <memory>

namespace podctl::cli {
namespace {

using plan::Change;

const char* word_of(Change change) {
    switch (change) {
        case Change::keep:
            return "keep";
        case Change::create:
            return "create";
        case Change::change:
            return "change";
        case Change::remove:
            return "remove";
    }
    return "";
}

std::size_t count(const std::vector<plan::Assessment>& assessments, Change change) {
    return static_cast<std::size_t>(
        std::count_if(assessments.begin(), assessments.end(),
                      [&](const auto& it) { return it.change == change; }));
}

std::string counted(std::size_t count, const char* one, const char* many) {
    return fmt::format("{} {}", count, count == 1 ? one : many);
}

// "2 repositories, 214 packages".
std::string unknown_of(const plan::Bill& bill) {
    std::vector<std::string> parts;
    const auto add = [&](std::size_t count, const char* one, const char* many) {
        if (count > 0) parts.push_back(counted(count, one, many));
    };
    add(bill.models, "model", "models");
    add(bill.repositories, "repository", "repositories");
    add(bill.archives, "pack of the registry", "packs of the registry");
    if (bill.packages > 0)
        add(bill.packages, "package", "packages");
    else
        add(bill.environments, "environment's packages", "environments' packages");
    return fmt::format("{}", fmt::join(parts, ", "));
}

// Never less than there is: what nobody knows is said to be unknown.
std::string download_of(const plan::Bill& bill) {
    if (bill.unknown == 0) return format_bytes(bill.download);
    const auto unknown = fmt::format("{} of unknown size: {}", bill.unknown, unknown_of(bill));
    if (bill.download.count == 0) return unknown;
    return fmt::format("at least {} (and {})", format_bytes(bill.download), unknown);
}

std::string disk_of(const plan::Bill& bill) {
    if (bill.unknown == 0) return format_bytes(bill.disk) + " more";
    if (bill.disk.count == 0) return "unknown";
    return fmt::format("at least {} more", format_bytes(bill.disk));
}

void print_text(const std::vector<plan::Assessment>& assessments, const plan::Bill& bill) {
    std::size_t width = 0;
    for (const auto& it : assessments)
        width = std::max(width, std::min<std::size_t>(it.step.size(), 60));
    for (const auto& it : assessments) {
        std::string line =
            fmt::format("  {:<7} {:<{}}  {}", word_of(it.change), it.step, width, it.reason);
        if (it.download && it.download->count > 0)
            line += fmt::format(" ({})", format_bytes(*it.download));
        line.erase(line.find_last_not_of(' ') + 1);
        put(To::out, line + "\n");
    }
    const auto removed = count(assessments, Change::remove);
    put(To::out,
        fmt::format(
            "\n{} to create, {} to change, {}{} to keep. To download: {}. Disk: {}{}.\n",
            count(assessments, Change::create), count(assessments, Change::change),
            removed ? fmt::format("{} to remove, ", removed) : "", count(assessments, Change::keep),
            download_of(bill), disk_of(bill),
            bill.store.count > 0 ? ", and " + format_bytes(bill.store) + " in the store" : ""));
}

// Who is going to be given what, before it is.
void print_text(const std::vector<run::Recipient>& recipients) {
    for (const auto& it : recipients)
        put(To::out,
            fmt::format("`up` sends {} to {}, {}.\n", it.secret, it.origin, run::word_of(it.by)));
}

// What is in the plan's way, and what may be.
void print_text(const run::Findings& findings) {
    for (const auto& it : findings)
        put(To::out, fmt::format("{}: {}\n  hint: {}\n",
                                 it.grade == run::Finding::Grade::fail ? "error" : "warning",
                                 it.message, it.remedy));
}

void print_json(const run::Findings& findings) {
    for (const auto& it : findings)
        put_event(it);
}

using Locks = std::map<std::string, python::Lock>;

std::string name_and_version(const python::Pin& pin) {
    std::string text = pin.requirement;
    if (const auto at = text.find("=="); at != std::string::npos) text.replace(at, 2, " ");
    return text;
}

// Places under the root are told from there on.
std::string askers_of(const python::Pin& pin, const std::filesystem::path& root) {
    std::string text = fmt::format("{}", fmt::join(pin.asked_by, ", "));
    const std::string prefix = root.string() + "/";
    for (auto at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at))
        text.erase(at, prefix.size());
    return text;
}

void print_text(const Locks& locks, const std::filesystem::path& root) {
    for (const auto& [step, lock] : locks) {
        put(To::out,
            fmt::format("\n{}: {} packages beside what is inherited\n", step, lock.pins.size()));
        for (const auto& pin : lock.pins) {
            const char* hashes = pin.hashes.empty() ? ", without a hash" : "";
            put(To::out, fmt::format("  {:<34} for {}{}\n", name_and_version(pin),
                                     askers_of(pin, root), hashes));
        }
    }
}

void print_json(const Locks& locks) {
    for (const auto& [step, lock] : locks)
        for (const auto& pin : lock.pins)
            put_event(PlannedPackage{step, pin});
}

void print_json(const std::vector<plan::Assessment>& assessments, const plan::Bill& bill,
                const std::vector<run::Recipient>& recipients) {
    for (const auto& it : assessments)
        put_event(it);
    put_event(PlanFinished{.create = count(assessments, Change::create),
                           .change = count(assessments, Change::change),
                           .keep = count(assessments, Change::keep),
                           .remove = count(assessments, Change::remove),
                           .bill = bill,
                           .recipients = recipients});
}

}  // namespace

int show_plan(const TemplateArguments& arguments, const ProvisionArguments& provision,
              const Common& common) {
    const StopSignals signals;
    const auto pod = load(arguments);
    const auto secrets = run::read_secrets(pod);
    const auto redact = run::redactor_of(secrets);
    const auto terminal = make_sink(common.output);
    if (common.output.shows_debug_lines) show_debug_lines(redact);
    RedactingSink events{*terminal, redact};
    auto options = provision.options;
    options.will_launch = false;
    options.purpose = run::Purpose::look;
    const auto places = places_of(pod, common);
    options.store = store_of(pod, places.root, provision.store);
    run::Provisioner provisioner{pod, places, secrets, options, events};
    plan::Plan plan;
    std::vector<plan::Assessment> assessments;
    Locks locks;
    run::Findings findings;
    try {
        plan = provisioner.make_plan(signals.token());
        if (!provision.only.empty()) plan = plan::only(plan, provision.only);
        assessments = provisioner.assess(plan, run::Provisioner::Sizes::ask, signals.token());
        findings = provisioner.foresee(plan, assessments);
        std::erase_if(findings, [](const auto& it) { return it.grade == run::Finding::Grade::ok; });
        std::ranges::move(provisioner.assess_leftovers(plan), std::back_inserter(assessments));
        if (common.output.verbosity == Verbosity::verbose) locks = provisioner.locks(plan);
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted) return 128 + signals.signal();
        print_error(error, common.output, redact);
        return exit_code(error.kind());
    }
    for (auto& it : assessments) {
        it.reason = redact(it.reason);
    }
    const auto bill = plan::bill_of(plan, assessments);
    const auto recipients = run::recipients_of(pod, secrets);
    if (common.output.format == Format::json) {
        print_json(locks);
        print_json(findings);
        print_json(assessments, bill, recipients);
    } else {
        print_text(assessments, bill);
        print_text(findings);
        print_text(recipients);
        print_text(locks, plan.places.root);
    }
    const bool is_possible = std::ranges::none_of(
        findings, [](const auto& it) { return it.grade == run::Finding::Grade::fail; });
    if (!is_possible) return exit_code(ErrorKind::preflight);
    return count(assessments, Change::keep) == assessments.size() ? 0 : 10;
}

void add_plan(CLI::App& app, Common& common, Chosen& chosen) {
    auto* command =
        app.add_subcommand("plan",
                           "show what `up` would do; exit 0: nothing, 10: something, 3: it "
                           "cannot");
    command->footer(
        "Example:\n  podctl plan pod.yaml\n  podctl plan pod.yaml -v    # and every package, with "
        "who asks for it");
    struct Arguments {
        TemplateArguments template_;
        ProvisionArguments provision;
    };
    auto arguments = std::make_shared<Arguments>();
    add_template_arguments(*command, arguments->template_);
    add_common_flags(*command, common);
    add_provision_flags(*command, arguments->provision);
    when_chosen(*command, chosen, [&common, arguments] {
        choose_template(arguments->template_);
        return show_plan(arguments->template_, arguments->provision, common);
    });
}

}  // namespace podctl::cli
