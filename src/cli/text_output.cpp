#include "podctl/base/overloaded.hpp"
#include "podctl/base/units.hpp"

#include "output.hpp"

#include <fmt/format.h>

namespace podctl::cli {
namespace {

std::string with_hint(std::string text, const std::string& hint) {
    if (!hint.empty()) text += "\n  hint: " + hint;
    return text;
}

std::string amount(std::uint64_t count, const std::string& unit) {
    return unit == "bytes" ? format_bytes({count}) : fmt::format("{}", count);
}

std::string progress_text(const std::string& what, const Reading& it) {
    std::string text = fmt::format("{}: {}", what, amount(it.done, it.unit));
    if (it.total && *it.total > 0) {
        const auto percent = 100.0 * static_cast<double>(it.done) / static_cast<double>(*it.total);
        text +=
            fmt::format(" of {} ({}%)", amount(*it.total, it.unit), static_cast<unsigned>(percent));
    }
    if (it.unit != "bytes") text += " " + it.unit;
    if (it.rate >= 1) text += ", " + format_rate(it.rate);
    if (it.eta && it.remaining() > 0) text += fmt::format(", {} left", format_eta(*it.eta));
    if (!it.detail.empty()) text += ", " + it.detail;
    return text;
}

// Only podctl's own lines begin at the left.
std::string indented(std::string text) {
    for (auto at = text.find('\n'); at != text.npos; at = text.find('\n', at + 5))
        text.replace(at, 1, "\n    ");
    return text;
}

std::string output_text(const event::WorkflowOutput& it) {
    if (it.url.empty())
        return fmt::format("node {} ({}): {}", it.node, it.class_type, indented(it.text));
    std::string text = (it.path.empty() ? it.url : it.path) + ":";
    if (!it.format.empty()) text += " " + it.format;
    if (it.width > 0) text += fmt::format(" {}x{}", it.width, it.height);
    return text + fmt::format(", {}", format_bytes({it.size}));
}

// A single fault is what step.failed says.
Line workflow_line(const event::WorkflowFinished& it, Verbosity verbosity) {
    Line line{.text = {}, .tone = Line::Tone::good, .data = true};
    for (const auto& output : it.outputs)
        line.text += (line.text.empty() ? "" : "\n") + output_text(output);
    if (it.faults.empty()) return line;
    line = {.text = {}, .tone = Line::Tone::bad};
    for (const auto& fault : it.faults) {
        const bool has_details = verbosity == Verbosity::verbose && !fault.details.empty();
        if (it.faults.size() == 1 && !has_details) continue;
        line.text += (line.text.empty() ? "" : "\n") + with_hint(text_of(fault), fault.hint);
        if (has_details) line.text += "\n" + fault.details;
    }
    return line;
}

// " and nodes 5, 7" or " and 12 other nodes".
std::string and_others(const std::vector<std::string>& nodes) {
    constexpr std::size_t most = 5;
    if (nodes.size() > most) return fmt::format(" and {} other nodes", nodes.size());
    return fmt::format(" and node{} {}", nodes.size() == 1 ? "" : "s", fmt::join(nodes, ", "));
}

Line done_line(std::string_view step, std::string_view how, std::chrono::milliseconds took) {
    return {fmt::format("{}: {} in {}", step, how, format_duration(took)), Line::Tone::good};
}

Line failed_line(std::string_view step, const std::string& message, const std::string& hint,
                 bool is_warning) {
    return {with_hint(fmt::format("{}: {}: {}", step, is_warning ? "warning" : "failed", message),
                      hint),
            is_warning ? Line::Tone::warning : Line::Tone::bad};
}

}  // namespace

std::string format_eta(std::chrono::seconds eta) {
    if (eta < std::chrono::minutes{1}) return fmt::format("{}s", eta.count());
    return format_duration(eta);
}

std::string format_rate(double bytes_per_second) {
    return format_bytes({static_cast<std::uint64_t>(bytes_per_second)}) + "/s";
}

Line line_of(const event::StepProgress& progress, const Reading& measured) {
    return {progress_text(progress.step, measured)};
}

Line line_of(const Overall& all) {
    return {progress_text("in all", all.bytes)};
}

std::string text_of(const event::WorkflowFault& it) {
    if (it.node.empty()) return it.message;
    std::string where = "node " + it.node;
    if (!it.class_type.empty()) where += fmt::format(" ({})", it.class_type);
    if (!it.input.empty()) where += ", " + it.input;
    if (!it.also.empty()) where += and_others(it.also);
    return where + ": " + indented(it.message);
}

Line line_of(const Event& event, Verbosity verbosity) {
    using Tone = Line::Tone;
    return std::visit(
        overloaded{
            [](const event::RunStarted& it) -> Line {
                return {fmt::format("podctl {}: {} in {}", it.version, it.template_path, it.root)};
            },
            [](const event::StepStarted& it) -> Line { return {it.step + ": started"}; },
            [](const event::StepProgress& it) -> Line {
                return line_of(
                    it, {.done = it.done, .total = it.total, .unit = it.unit, .detail = it.detail});
            },
            [&](const event::StepSkipped& it) -> Line {
                if (it.why == event::StepSkipped::Why::not_run) {
                    return {fmt::format("{}: {}", it.step, it.reason), Tone::warning};
                }
                if (verbosity != Verbosity::verbose) return {};
                return {fmt::format("{}: nothing to do ({})", it.step, it.reason)};
            },
            [](const event::StepFinished& it) -> Line {
                return done_line(it.step, it.changed ? "done" : "checked", it.took);
            },
            [&](const event::StepFailed& it) -> Line {
                // A stop ends all that runs, and the run's last line says it once.
                if (it.kind == ErrorKind::interrupted && verbosity != Verbosity::verbose) return {};
                return failed_line(it.step, it.message, it.hint, it.optional);
            },
            [](const event::Launching&) -> Line {
                return {fmt::format("{}: started", event::launch_step)};
            },
            [](const event::Launched& it) -> Line {
                return done_line(event::launch_step, "done", it.took);
            },
            [](const event::LaunchFailed& it) -> Line {
                return failed_line(event::launch_step, it.message, it.hint, false);
            },
            [](const event::StepRetrying& it) -> Line {
                return {fmt::format("{}: {}; trying again in {}", it.step, it.reason,
                                    format_duration(it.wait)),
                        Tone::warning};
            },
            [](const event::FileReady& it) -> Line {
                return {it.path, Tone::plain, true};
            },
            [](const event::Notice& it) -> Line {
                return {it.step.empty() ? it.message : fmt::format("{}: {}", it.step, it.message),
                        Tone::warning};
            },
            [](const event::ServiceStarted& it) -> Line {
                return {fmt::format("{}: started, pid {}", it.service, it.pid)};
            },
            [](const event::ServiceReady& it) -> Line {
                const std::string where = it.url.empty() ? "" : " at " + it.url;
                return {fmt::format("{} is ready{} after {}", it.service, where,
                                    format_duration(it.took)),
                        Tone::good, true};
            },
            [](const event::ServiceExited& it) -> Line {
                if (it.signal != 0)
                    return {fmt::format("{}: ended by signal {}", it.service, it.signal),
                            Tone::warning};
                return {fmt::format("{}: ended with exit code {}", it.service, it.code),
                        it.code == 0 ? Tone::plain : Tone::warning};
            },
            [](const event::ServiceRestarting& it) -> Line {
                return {fmt::format("{}: {}; starting again in {} (attempt {})", it.service,
                                    it.reason, format_duration(it.wait), it.attempt),
                        Tone::warning};
            },
            [](const event::ServiceOutput& it) -> Line {
                return {fmt::format("{} | {}", it.service, it.line), Tone::plain, true,
                        Line::From::program};
            },
            [](const event::NodeFailed& it) -> Line {
                return {fmt::format("custom node {} could not be loaded: {}", it.node,
                                    it.reason.empty() ? "see ComfyUI's log" : it.reason),
                        Tone::bad};
            },
            [&](const event::WorkflowFinished& it) -> Line { return workflow_line(it, verbosity); },
            // RunLedger sums the run up.
            [](const event::RunFinished&) -> Line { return {}; }},
        event);
}

}  // namespace podctl::cli
