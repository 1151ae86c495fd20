#include "pod_record.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/process_stat.hpp"
#include "podctl/base/trust.hpp"

#include "service_json.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

namespace podctl::serve {

namespace {

using nlohmann::json;

json identity(pid_t pid) {
    const auto process = read_process(pid).value_or(ProcessStat{});
    return {{"pid", pid}, {"start_time", process.start_time}, {"session", process.session}};
}

json describe(const RunningService& service) {
    json described = json_of(service);
    described.update(identity(service.pid));
    return described;
}

// The pid of an entry whose process still runs, else 0.
pid_t living_pid(const json& entry) {
    const auto pid = entry.at("pid").get<pid_t>();
    const auto started = entry.at("start_time").get<unsigned long long>();
    const auto process = read_process(pid);
    return process && process->start_time == started ? pid : 0;
}

// Start times and pids are of one start of the machine.
bool is_of_this_boot(const json& record) {
    return record.value("boot", "") == boot_id();
}

RunningPod read(const json& record) {
    const auto living = [&, now = is_of_this_boot(record)](const json& entry) {
        return now ? living_pid(entry) : 0;
    };
    RunningPod pod{.pid = living(record.at("podctl")), .services = {}};
    for (const auto& entry : record.at("services")) {
        pod.services.push_back(service_of(entry));
        pod.services.back().pid = living(entry);
    }
    return pod;
}

// The text of a record that nobody else can have written. Throws Error{io}.
std::optional<std::string> read_own(const std::filesystem::path& path, const OnNotice& on_notice) {
    auto state = read_state_file(path);
    if (!state.distrust.empty() && on_notice)
        on_notice(fmt::format("{} is ignored: it {}. What podctl writes is its user's alone",
                              path.string(), state.distrust));
    return std::move(state.text);
}

// The leader of the entry's group, as it was recorded. nullopt: it has ended, or cannot be proven
// to be the one.
std::optional<OwnProcess> recorded_leader(const json& entry) {
    const auto pid = entry.at("pid").get<pid_t>();
    auto process = OwnProcess::open(pid);
    const bool proven =
        process && process->stat().group == pid &&
        process->stat().start_time == entry.at("start_time").get<unsigned long long>() &&
        process->stat().session == entry.value("session", pid_t{-1});
    return proven ? std::move(process) : std::nullopt;
}

std::vector<LeftService> left_services(const json& record, const OnNotice& on_notice) {
    std::vector<LeftService> left;
    if (!is_of_this_boot(record) || living_pid(record.at("podctl")) != 0) return left;
    for (const auto& entry : record.at("services")) {
        const auto name = entry.at("name").get<std::string>();
        if (auto leader = recorded_leader(entry))
            left.push_back({std::move(*leader), name});
        else if (const auto pid = living_pid(entry); pid != 0 && on_notice)
            on_notice(fmt::format(
                "{} was left running by a podctl that was killed, and is left alone: pid {} is not "
                "of this user any more, or has left its process group",
                name, pid));
    }
    return left;
}

}  // namespace

PodRecord::PodRecord(std::filesystem::path file) : file_{std::move(file)} {}

PodRecord::~PodRecord() {
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
}

void PodRecord::update(const std::vector<RunningService>& services) {
    if (last_ == services) return;
    last_ = services;
    json described = json::array();
    for (const auto& service : services)
        described.push_back(describe(service));
    const json record = {
        {"podctl", identity(::getpid())}, {"boot", boot_id()}, {"services", std::move(described)}};
    write_state_file(file_, record.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

std::optional<RunningPod> find_running_pod(const std::filesystem::path& pids,
                                           const OnNotice& on_notice) {
    const auto text = read_own(pids, on_notice);
    if (!text) return std::nullopt;
    const auto parsed = parse_json(*text);
    try {
        auto pod = read(parsed.value_or(json()));
        const bool runs =
            pod.pid != 0 ||
            std::ranges::any_of(pod.services, [](const auto& service) { return service.pid != 0; });
        return runs ? std::optional{std::move(pod)} : std::nullopt;
    } catch (const json::exception&) {
        throw Error{ErrorKind::io, pids.string() + " is not what podctl writes",
                    "end the pod's processes by hand and remove the file"};
    }
}

std::vector<LeftService> find_left_services(const std::filesystem::path& pids,
                                            const OnNotice& on_notice) {
    try {
        const auto text = read_own(pids, on_notice);
        const auto record = text ? parse_json(*text) : std::nullopt;
        return record ? left_services(*record, on_notice) : std::vector<LeftService>{};
    } catch (const json::exception&) {
        return {};
    } catch (const Error&) {
        return {};
    }
}

}  // namespace podctl::serve
