#include "pod_record.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <system_error>

namespace podctl::serve {

namespace {

using nlohmann::json;

json identity(pid_t pid) {
    return {{"pid", pid}, {"start_time", start_time(pid).value_or(0)}};
}

json describe(const RunningService& service) {
    json described = identity(service.pid);
    described["name"] = service.name;
    described["port"] = service.port;
    described["url"] = service.url;
    described["state"] = service.state;
    return described;
}

// The pid of an entry whose process still runs, else 0.
pid_t living_pid(const json& entry) {
    const auto pid = entry.at("pid").get<pid_t>();
    if (pid <= 0) return 0;
    const auto started = start_time(pid);
    return started && *started == entry.at("start_time").get<unsigned long long>() ? pid : 0;
}

RunningPod read(const json& record) {
    RunningPod pod{.pid = living_pid(record.at("podctl")), .services = {}};
    for (const auto& entry : record.at("services"))
        pod.services.push_back({.name = entry.at("name"),
                                .pid = living_pid(entry),
                                .port = entry.at("port"),
                                .url = entry.at("url"),
                                .state = entry.at("state")});
    return pod;
}

}  // namespace

std::optional<unsigned long long> start_time(pid_t pid) {
    if (pid <= 0) return std::nullopt;
    const auto stat = read_file_if_exists("/proc/" + std::to_string(pid) + "/stat");
    if (!stat) return std::nullopt;
    // The second field is the program's name, which may hold spaces and parentheses.
    const auto name_end = stat->rfind(')');
    if (name_end == stat->npos) return std::nullopt;
    std::istringstream fields(stat->substr(name_end + 1));
    std::string state, skipped;
    fields >> state;
    for (int field = 4; field < 22; ++field)
        fields >> skipped;
    unsigned long long ticks = 0;
    if (!(fields >> ticks) || state == "Z" || state == "X") return std::nullopt;
    return ticks;
}

PodRecord::PodRecord(std::filesystem::path file) : file_{std::move(file)} {}

PodRecord::~PodRecord() {
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
}

void PodRecord::update(const std::vector<RunningService>& services) {
    json described = json::array();
    for (const auto& service : services)
        described.push_back(describe(service));
    const json record = {{"podctl", identity(::getpid())}, {"services", std::move(described)}};
    auto text = record.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
    if (text == written_) return;
    write_file_atomically(file_, text);
    written_ = std::move(text);
}

std::optional<RunningPod> find_running_pod(const std::filesystem::path& pids) {
    const auto text = read_file_if_exists(pids);
    if (!text) return std::nullopt;
    try {
        auto pod = read(json::parse(*text));
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
