#include "service_json.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace podctl::serve {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::system_clock;

namespace {

constexpr std::array all_states{
    ServiceState::waiting, ServiceState::preparing,   ServiceState::starting, ServiceState::ready,
    ServiceState::ending,  ServiceState::backing_off, ServiceState::stopped};

// A word of another version's is none that is known to be ready.
ServiceState state_of(std::string_view word) {
    const auto found = std::ranges::find_if(
        all_states, [&](ServiceState state) { return to_string(state) == word; });
    return found == all_states.end() ? ServiceState::starting : *found;
}

}  // namespace

std::string_view to_string(ServiceState state) {
    switch (state) {
        case ServiceState::waiting:
            return "waiting";
        case ServiceState::preparing:
            return "preparing";
        case ServiceState::starting:
            return "starting";
        case ServiceState::ready:
            return "ready";
        case ServiceState::ending:
            return "ending";
        case ServiceState::backing_off:
            return "backing off";
        case ServiceState::stopped:
            return "stopped";
    }
    return "";
}

json json_of(system_clock::time_point time) {
    return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

system_clock::time_point time_of(const json& object, const char* key) {
    return system_clock::time_point{milliseconds{object.value(key, milliseconds::rep{0})}};
}

json json_of(const RunningService& service) {
    return {{"name", service.name},
            {"pid", service.pid},
            {"port", service.port},
            {"url", service.url},
            {"state", to_string(service.state)},
            {"starts", service.starts},
            {"started", json_of(service.started)},
            {"last_exit", service.last_exit}};
}

RunningService service_of(const json& entry) {
    return {.name = entry.at("name"),
            .pid = entry.at("pid"),
            .port = entry.at("port"),
            .url = entry.at("url"),
            .state = state_of(entry.at("state").get<std::string>()),
            .starts = entry.value("starts", 0),
            .started = time_of(entry, "started"),
            .last_exit = entry.value("last_exit", "")};
}

}  // namespace podctl::serve
