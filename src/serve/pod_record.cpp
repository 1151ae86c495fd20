#include "pod_record.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/process_stat.hpp"

#include "service_json.hpp"

#include <unistd.h>

#include <algorithm>
#include <system_error>

namespace podctl::serve {

namespace {

using nlohmann::json;

json identity(pid_t pid) {
    const auto process = read_process(pid);
    return {{"pid", pid}, {"start_time", process ? process->start_time : 0}};
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

RunningPod read(const json& record) {
    RunningPod pod{.pid = living_pid(record.at("podctl")), .services = {}};
    for (const auto& entry : record.at("services")) {
        pod.services.push_back(service_of(entry));
        pod.services.back().pid = living_pid(entry);
    }
    return pod;
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
    const json record = {{"podctl", identity(::getpid())}, {"services", std::move(described)}};
    write_file_atomically(file_, record.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

std::optional<RunningPod> find_running_pod(const std::filesystem::path& pids) {
    const auto text = read_file_if_exists(pids);
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

}  // namespace podctl::serve
