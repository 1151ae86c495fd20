#include "podctl/serve/last_run.hpp"

#include "podctl/base/json.hpp"
#include "podctl/base/overloaded.hpp"
#include "podctl/base/trust.hpp"

#include "service_json.hpp"

#include <fmt/format.h>

#include <utility>

namespace podctl::serve {

namespace {

using nlohmann::json;

constexpr const char* last_run_name = "last-run.json";

json record_of(const LastRun& run) {
    auto failures = json::array();
    for (const auto& it : run.failures)
        failures.push_back({{"step", it.step}, {"message", it.message}, {"hint", it.hint}});
    json record{{"template", run.template_path},
                {"version", run.version},
                {"started", json_of(run.started)},
                {"failures", std::move(failures)}};
    if (run.end) record["end"] = {{"exit_code", run.end->exit_code}, {"at", json_of(run.end->at)}};
    return record;
}

LastRun last_run_of(const json& record) {
    LastRun run{.template_path = record.at("template"),
                .version = record.at("version"),
                .started = time_of(record, "started")};
    for (const auto& it : record.at("failures"))
        run.failures.push_back({it.at("step"), it.at("message"), it.at("hint")});
    if (record.contains("end"))
        run.end = {record.at("end").at("exit_code"), time_of(record.at("end"), "at")};
    return run;
}

}  // namespace

void LastRunRecord::begin(const std::filesystem::path& state) {
    const std::scoped_lock lock{mutex_};
    file_ = state / last_run_name;
    write();
}

void LastRunRecord::fail(const Error& error) {
    const std::scoped_lock lock{mutex_};
    run_.failures.push_back({"", error.message(), error.hint()});
    write();
}

void LastRunRecord::emit(const Event& event) {
    {
        const std::scoped_lock lock{mutex_};
        if (observe(event)) write();
    }
    next_.emit(event);
}

// Whether it is for the record.
bool LastRunRecord::observe(const Event& event) {
    const auto failed = [this](std::string step, const std::string& message,
                               const std::string& hint) {
        run_.failures.push_back({std::move(step), message, hint});
        return true;
    };
    return std::visit(overloaded{[&](const event::RunStarted& it) {
                                     run_.template_path = it.template_path;
                                     run_.version = it.version;
                                     run_.started = std::chrono::system_clock::now();
                                     return true;
                                 },
                                 [&](const event::StepFailed& it) {
                                     return !it.optional && failed(it.step, it.message, it.hint);
                                 },
                                 [&](const event::LaunchFailed& it) {
                                     return failed(std::string{event::launch_step}, it.message,
                                                   it.hint);
                                 },
                                 [&](const event::RunFinished& it) {
                                     run_.end = {it.exit_code, std::chrono::system_clock::now()};
                                     return true;
                                 },
                                 [](const auto&) { return false; }},
                      event);
}

void LastRunRecord::write() {
    if (file_.empty()) return;
    try {
        const auto text = record_of(run_).dump(2, ' ', false, json::error_handler_t::replace);
        write_state_file(file_, text + "\n");
    } catch (const Error& error) {
        next_.emit(
            event::Notice{"", "`podctl status` will not know of this run: " + error.message()});
    }
}

std::optional<LastRun> find_last_run(const std::filesystem::path& state,
                                     const OnNotice& on_notice) {
    const auto file = state / last_run_name;
    const auto read = read_state_file(file);
    if (!read.distrust.empty() && on_notice)
        on_notice(fmt::format("{} is ignored: it {}. What podctl writes is its user's alone",
                              file.string(), read.distrust));
    const auto record = read.text ? parse_json(*read.text) : std::nullopt;
    if (!record) return std::nullopt;
    try {
        return last_run_of(*record);
    } catch (const json::exception&) {
        return std::nullopt;
    }
}

}  // namespace podctl::serve
