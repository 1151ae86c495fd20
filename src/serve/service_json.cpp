#include "service_json.hpp"

namespace podctl::serve {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::system_clock;

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
            {"state", service.state},
            {"starts", service.starts},
            {"started", json_of(service.started)},
            {"last_exit", service.last_exit}};
}

RunningService service_of(const json& entry) {
    return {.name = entry.at("name"),
            .pid = entry.at("pid"),
            .port = entry.at("port"),
            .url = entry.at("url"),
            .state = entry.at("state"),
            .starts = entry.value("starts", 0),
            .started = time_of(entry, "started"),
            .last_exit = entry.value("last_exit", "")};
}

}  // namespace podctl::serve
