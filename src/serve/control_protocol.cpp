#include "control_protocol.hpp"

#include "podctl/base/json.hpp"

#include "service_json.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace podctl::serve::protocol {

namespace {

using nlohmann::json;
using Command = Request::Command;

constexpr std::array<std::pair<std::string_view, Command>, 5> commands{
    {{"status", Command::status},
     {"restart", Command::restart},
     {"end", Command::end},
     {"end-at-once", Command::end_at_once},
     {"watch", Command::watch}}};

constexpr std::array phases{PodStatus::Phase::provisioning, PodStatus::Phase::starting,
                            PodStatus::Phase::ready, PodStatus::Phase::ending,
                            PodStatus::Phase::failed};

constexpr std::array step_states{PodStep::State::running, PodStep::State::done,
                                 PodStep::State::skipped, PodStep::State::not_run,
                                 PodStep::State::failed};

// What is no UTF-8, in a path say, must not make an answer fail.
std::string text_of(const json& object) {
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Error no_answer() {
    return {ErrorKind::launch, "the running podctl gave an answer that is none",
            "is it of another version? `podctl --version` tells this one's"};
}

json json_of(const Reading& reading) {
    json described{{"done", reading.done},
                   {"unit", reading.unit},
                   {"rate", reading.rate},
                   {"detail", reading.detail}};
    if (reading.total) described["total"] = *reading.total;
    if (reading.eta) described["eta"] = reading.eta->count();
    return described;
}

Reading reading_of(const json& entry) {
    Reading reading{.done = entry.at("done"),
                    .unit = entry.at("unit"),
                    .rate = entry.at("rate"),
                    .detail = entry.at("detail")};
    if (entry.contains("total")) reading.total = entry.at("total").get<std::uint64_t>();
    if (entry.contains("eta"))
        reading.eta = std::chrono::seconds{entry.at("eta").get<std::int64_t>()};
    return reading;
}

json json_of(const PodStep& step) {
    json described{
        {"step", step.step}, {"state", to_string(step.state)}, {"took_ms", step.took.count()}};
    if (step.progress) described["progress"] = json_of(*step.progress);
    return described;
}

PodStep step_of(const json& entry) {
    const auto state = std::ranges::find(step_states, entry.at("state").get<std::string>(),
                                         [](auto it) { return std::string{to_string(it)}; });
    if (state == step_states.end()) throw no_answer();
    PodStep step{.step = entry.at("step"),
                 .state = *state,
                 .took = std::chrono::milliseconds{entry.at("took_ms").get<std::int64_t>()}};
    if (entry.contains("progress")) step.progress = reading_of(entry.at("progress"));
    return step;
}

json services_json(const std::vector<RunningService>& services) {
    json list = json::array();
    for (const auto& service : services)
        list.push_back(serve::json_of(service));
    return list;
}

std::vector<RunningService> services_of(const json& list) {
    std::vector<RunningService> services;
    for (const auto& entry : list)
        services.push_back(service_of(entry));
    return services;
}

json good_answer(std::string_view line) {
    auto answer = parse_json(line);
    if (!answer || !answer->is_object() || !answer->contains("ok")) throw no_answer();
    if (answer->at("ok") == true) return *std::move(answer);
    try {
        const json error = answer->value("error", json::object());
        const bool usage = error.value("code", "") == to_string(ErrorKind::usage);
        throw Error{usage ? ErrorKind::usage : ErrorKind::launch,
                    error.value("message", "the running podctl refused"), error.value("hint", "")};
    } catch (const json::exception&) {
        throw no_answer();
    }
}

PodStatus read_status(const json& entry) {
    PodStatus status{.pid = entry.at("pid"),
                     .version = entry.at("version"),
                     .template_path = entry.at("template"),
                     .started = time_of(entry, "started"),
                     .page_port = entry.value("page_port", std::uint16_t{0}),
                     .steps = {},
                     .services = services_of(entry.at("services"))};
    const auto phase = std::ranges::find(phases, entry.at("phase").get<std::string>(),
                                         [](auto it) { return std::string{to_string(it)}; });
    if (phase == phases.end()) throw no_answer();
    status.phase = *phase;
    for (const auto& step : entry.at("steps"))
        status.steps.push_back(step_of(step));
    // A podctl of an earlier version does not tell them.
    for (const auto& it : entry.value("failed_nodes", json::array()))
        status.failed_nodes.push_back({it.at("node"), it.at("reason")});
    return status;
}

}  // namespace

std::string text_of(const Request& request) {
    const auto command =
        std::ranges::find(commands, request.command, &decltype(commands)::value_type::second);
    return text_of(json{{"command", command->first}, {"service", request.service}});
}

Request request_of(std::string_view line) {
    const auto parsed = parse_json(line);
    const Error bad{ErrorKind::usage, "that is no request"};
    if (!parsed || !parsed->is_object()) throw bad;
    const json& request = *parsed;
    try {
        const auto command = std::ranges::find(commands, request.value("command", ""),
                                               &decltype(commands)::value_type::first);
        if (command == commands.end()) throw bad;
        return {.command = command->second, .service = request.value("service", "")};
    } catch (const json::exception&) {
        throw bad;
    }
}

std::string done() {
    return text_of(json{{"ok", true}});
}

std::string failed(const Error& error) {
    return text_of(json{{"ok", false},
                        {"error",
                         {{"code", to_string(error.kind())},
                          {"message", error.message()},
                          {"hint", error.hint()}}}});
}

std::string answer(const PodStatus& status) {
    json steps = json::array();
    for (const auto& step : status.steps)
        steps.push_back(json_of(step));
    json failed_nodes = json::array();
    for (const auto& it : status.failed_nodes)
        failed_nodes.push_back({{"node", it.node}, {"reason", it.reason}});
    return text_of(json{{"ok", true},
                        {"status",
                         {{"phase", to_string(status.phase)},
                          {"pid", status.pid},
                          {"version", status.version},
                          {"template", status.template_path},
                          {"started", serve::json_of(status.started)},
                          {"page_port", status.page_port},
                          {"steps", std::move(steps)},
                          {"failed_nodes", std::move(failed_nodes)},
                          {"services", services_json(status.services)}}}});
}

std::string answer(const std::vector<RunningService>& restarted) {
    return text_of(json{{"ok", true}, {"services", services_json(restarted)}});
}

void check(std::string_view answer) {
    good_answer(answer);
}

PodStatus status_of(std::string_view answer) {
    try {
        return read_status(good_answer(answer).at("status"));
    } catch (const json::exception&) {
        throw no_answer();
    }
}

std::vector<RunningService> restarted_of(std::string_view answer) {
    try {
        return services_of(good_answer(answer).at("services"));
    } catch (const json::exception&) {
        throw no_answer();
    }
}

}  // namespace podctl::serve::protocol
