#include "podctl/base/overloaded.hpp"

#include "output.hpp"
#include "put.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <ctime>

namespace podctl::cli {
namespace {

using nlohmann::ordered_json;

double seconds(std::chrono::milliseconds time) {
    return static_cast<double>(time.count()) / 1000.0;
}

std::string step_of(const std::string& service) {
    return "service:" + service;
}

template <class Value>
ordered_json or_null(const std::optional<Value>& value) {
    return value ? ordered_json(*value) : ordered_json(nullptr);
}

ordered_json eta_field(const Reading& measured) {
    return measured.eta ? ordered_json(measured.eta->count()) : ordered_json(nullptr);
}

// Other things than bytes have no rate.
ordered_json rate_field(const Reading& measured) {
    if (measured.unit != "bytes") return nullptr;
    return static_cast<std::uint64_t>(measured.rate);
}

ordered_json progress_fields(const event::StepProgress& progress, const Reading& measured) {
    return {{"event", "step.progress"},   {"step", progress.step},
            {"done", progress.done},      {"total", or_null(progress.total)},
            {"unit", progress.unit},      {"rate", rate_field(measured)},
            {"eta", eta_field(measured)}, {"detail", progress.detail}};
}

// Text that is no UTF-8 must not end the run.
std::string line_with_time(const ordered_json& fields) {
    ordered_json line{{"time", utc_now()}};
    line.update(fields);
    return json_line(line);
}

ordered_json error_fields(ErrorKind kind, const std::string& message, const std::string& hint) {
    return {{"code", to_string(kind)}, {"message", message}, {"hint", hint}};
}

std::string_view to_string(event::WorkflowNode::State state) {
    using State = event::WorkflowNode::State;
    switch (state) {
        case State::cached:
            return "cached";
        case State::ran:
            return "ran";
        case State::failed:
            return "failed";
        case State::not_run:
            break;
    }
    return "not_run";
}

ordered_json node_fields(const event::WorkflowNode& it) {
    return {{"node", it.id},
            {"class_type", it.class_type},
            {"title", it.title},
            {"state", to_string(it.state)},
            {"seconds", seconds(it.took)}};
}

ordered_json output_fields(const event::WorkflowOutput& it) {
    ordered_json fields{
        {"node", it.node}, {"class_type", it.class_type}, {"file", it.file}, {"url", it.url},
        {"type", it.type}, {"format", it.format},         {"size", it.size}};
    if (!it.path.empty()) fields["path"] = it.path;
    if (!it.text.empty()) fields["text"] = it.text;
    if (it.width > 0) fields.update({{"width", it.width}, {"height", it.height}});
    return fields;
}

ordered_json fault_fields(const event::WorkflowFault& it) {
    return {{"node", it.node},   {"class_type", it.class_type},
            {"input", it.input}, {"message", it.message},
            {"hint", it.hint},   {"details", it.details},
            {"also", it.also}};
}

ordered_json workflow_fields(const event::WorkflowFinished& it) {
    auto nodes = ordered_json::array(), outputs = nodes, faults = nodes;
    for (const auto& node : it.nodes)
        nodes.push_back(node_fields(node));
    for (const auto& output : it.outputs)
        outputs.push_back(output_fields(output));
    for (const auto& fault : it.faults)
        faults.push_back(fault_fields(fault));
    const bool is_test = it.as == event::WorkflowFinished::As::smoke;
    return {{"event", is_test ? "smoke.finished" : "workflow.finished"},
            {"step", it.step},
            {"ok", it.faults.empty()},
            {"url", it.url},
            {"workflow", it.workflow},
            {"prompt_id", it.prompt_id},
            {"seed", it.seed},
            {"nodes", nodes},
            {"outputs", outputs},
            {"faults", faults}};
}

ordered_json fields_of(const Event& event) {
    return std::visit(
        overloaded{
            [](const event::RunStarted& it) -> ordered_json {
                return {{"event", "run.started"},
                        {"template", it.template_path},
                        {"root", it.root},
                        {"version", it.version}};
            },
            [](const event::StepStarted& it) -> ordered_json {
                return {{"event", "step.started"}, {"step", it.step}};
            },
            [](const event::StepProgress& it) -> ordered_json {
                return progress_fields(it, {.done = it.done, .total = it.total, .unit = it.unit});
            },
            [](const event::StepSkipped& it) -> ordered_json {
                return {{"event", "step.skipped"}, {"step", it.step}, {"reason", it.reason}};
            },
            [](const event::StepFinished& it) -> ordered_json {
                return {{"event", "step.finished"},
                        {"step", it.step},
                        {"seconds", seconds(it.took)},
                        {"changed", it.changed}};
            },
            [](const event::StepFailed& it) -> ordered_json {
                return {{"event", "step.failed"},
                        {"step", it.step},
                        {"error", error_fields(it.kind, it.message, it.hint)},
                        {"optional", it.optional}};
            },
            [](const event::StepRetrying& it) -> ordered_json {
                return {{"event", "step.retrying"},
                        {"step", it.step},
                        {"attempt", it.attempt},
                        {"wait", seconds(it.wait)},
                        {"reason", it.reason}};
            },
            [](const event::FileReady& it) -> ordered_json {
                return {{"event", "file.ready"},
                        {"step", it.step},
                        {"path", it.path},
                        {"size", it.size},
                        {"sha256", it.sha256}};
            },
            [](const event::Launching&) -> ordered_json {
                return {{"event", "step.started"}, {"step", event::launch_step}};
            },
            [](const event::Launched& it) -> ordered_json {
                return {{"event", "step.finished"},
                        {"step", event::launch_step},
                        {"seconds", seconds(it.took)},
                        {"changed", true}};
            },
            [](const event::LaunchFailed& it) -> ordered_json {
                return {{"event", "step.failed"},
                        {"step", event::launch_step},
                        {"error", error_fields(ErrorKind::launch, it.message, it.hint)},
                        {"optional", false}};
            },
            [](const event::Notice& it) -> ordered_json {
                ordered_json line{{"event", "notice"}};
                if (!it.step.empty()) line["step"] = it.step;
                line["message"] = it.message;
                return line;
            },
            [](const event::ServiceStarted& it) -> ordered_json {
                return {{"event", "service.started"},
                        {"service", it.service},
                        {"step", step_of(it.service)},
                        {"pid", it.pid}};
            },
            [](const event::ServiceReady& it) -> ordered_json {
                return {{"event", "service.ready"},
                        {"service", it.service},
                        {"step", step_of(it.service)},
                        {"url", it.url},
                        {"seconds", seconds(it.took)}};
            },
            [](const event::ServiceExited& it) -> ordered_json {
                ordered_json line{{"event", "service.exited"},
                                  {"service", it.service},
                                  {"step", step_of(it.service)}};
                if (it.signal != 0) {
                    line["signal"] = it.signal;
                } else {
                    line["code"] = it.code;
                }
                return line;
            },
            [](const event::ServiceRestarting& it) -> ordered_json {
                return {{"event", "service.restarting"}, {"service", it.service},
                        {"step", step_of(it.service)},   {"attempt", it.attempt},
                        {"wait", seconds(it.wait)},      {"reason", it.reason}};
            },
            [](const event::ServiceOutput&) -> ordered_json { return {}; },
            [](const event::NodeFailed& it) -> ordered_json {
                return {{"event", "node.failed"},
                        {"node", it.node},
                        {"step", "node:" + it.node},
                        {"reason", it.reason}};
            },
            [](const event::WorkflowFinished& it) -> ordered_json { return workflow_fields(it); },
            [](const event::RunFinished& it) -> ordered_json {
                return {{"event", "run.finished"},
                        {"ok", it.ok},
                        {"exit_code", it.exit_code},
                        {"seconds", seconds(it.took)},
                        {"downloaded_bytes", it.downloaded_bytes}};
            }},
        event);
}

}  // namespace

std::string json_of(const Error& error) {
    return line_with_time(
        {{"event", "error"}, {"error", error_fields(error.kind(), error.message(), error.hint())}});
}

std::string json_of(const event::StepProgress& progress, const Reading& measured) {
    return line_with_time(progress_fields(progress, measured));
}

std::string json_of(const Overall& all) {
    return line_with_time({{"event", "run.progress"},
                           {"done", all.bytes.done},
                           {"total", or_null(all.bytes.total)},
                           {"rate", rate_field(all.bytes)},
                           {"eta", eta_field(all.bytes)},
                           {"files", all.files},
                           {"files_done", all.files_done}});
}

std::string utc_now() {
    return utc_time(std::chrono::system_clock::now());
}

std::string utc_time(std::chrono::system_clock::time_point when) {
    const auto part =
        std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch()).count() %
        1000;
    const std::time_t time = std::chrono::system_clock::to_time_t(when);
    std::tm utc{};
    ::gmtime_r(&time, &utc);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                       utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, part);
}

std::optional<std::string> json_of(const Event& event) {
    const ordered_json fields = fields_of(event);
    if (fields.empty()) return std::nullopt;
    return line_with_time(fields);
}

}  // namespace podctl::cli
