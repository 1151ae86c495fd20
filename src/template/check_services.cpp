#include "podctl/template/template.hpp"

#include "checks.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace podctl::tmpl {
namespace {

constexpr auto podctl_log = "podctl";  // <state>/logs/podctl.log is podctl's own
// More than that are neither compared nor listed in a message.
constexpr std::size_t most_named = 50;

std::string name_path(std::size_t index) {
    return key_path(key_path("services", index), "name");
}

void check_names(const Checking& checking) {
    Claims claims;
    const auto services = items_of(checking.root, "services");
    for (std::size_t i = 0; i < services.size(); ++i) {
        Value* name = usable(services[i], "name");
        if (!name || !name->is_scalar()) continue;
        if (name->text == comfyui_service) {
            checking.diagnostics.add(
                name->place, name_path(i),
                "found 'comfyui', which is ComfyUI's own; give it another name");
        } else if (name->text == podctl_log) {
            checking.diagnostics.add(
                name->place, name_path(i),
                "found 'podctl', whose log is podctl's own; give it another name");
        } else if (const auto taken = claims.claim(name->text, name_path(i), name->place)) {
            checking.diagnostics.add(
                name->place, name_path(i),
                fmt::format("found {}, the name of {}, too; give it another name", shown(*name),
                            *taken));
        }
    }
}

void claim_port(const Checking& checking, Claims& claims, Value& mapping, const std::string& path) {
    Value* port = usable(mapping, "port");
    if (!port || !port->is_scalar()) return;
    const auto taken = claims.claim(port->text, path, port->place);
    if (!taken) return;
    checking.diagnostics.add(
        port->place, path,
        fmt::format("found {}, the port of {}, too; allowed: a port of its own", shown(*port),
                    *taken));
}

void check_ports(const Checking& checking) {
    Claims claims;
    if (Value* comfyui = checking.root.find("comfyui")) {
        const Value* port = comfyui->find("port");
        if (!port || port->is_null()) {
            claims.claim(std::to_string(ComfyUi{}.port), "comfyui.port", {});
        }
        claim_port(checking, claims, *comfyui, "comfyui.port");
    }
    const auto services = items_of(checking.root, "services");
    for (std::size_t i = 0; i < services.size(); ++i) {
        claim_port(checking, claims, services[i], key_path(key_path("services", i), "port"));
    }
}

void check_ready(const Checking& checking) {
    const auto services = items_of(checking.root, "services");
    for (std::size_t i = 0; i < services.size(); ++i) {
        Value* ready = usable(services[i], "ready");
        const Value* port = services[i].find("port");
        if (!ready || (port && !port->is_null())) continue;
        const Value* http = ready->find("http");
        if (!http || !http->is_scalar() || http->faulty) continue;
        checking.diagnostics.add(
            http->place, key_path(key_path(key_path("services", i), "ready"), "http"),
            fmt::format("found {}, but the service has no `port` to ask", shown(*http)));
    }
}

// Who waits for whom. Services are known by their index; what `after` names and nobody is, is
// reported.
class Order {
public:
    explicit Order(const Checking& checking)
        : checking_(checking), services_(items_of(checking.root, "services")) {
        if (checking.root.find("comfyui")) known_.emplace_back(comfyui_service);
        for (std::size_t i = 0; i < services_.size(); ++i) {
            const std::string* name = text_of(services_[i], "name");
            if (!name || !index_.try_emplace(*name, i).second) continue;
            // A variable's value is not for messages.
            if (!services_[i].find("name")->interpolated) known_.push_back(*name);
        }
        waits_for_.resize(services_.size());
        for (std::size_t i = 0; i < services_.size(); ++i)
            read_after(i);
    }

    // Takes away what can start until nothing more can; the rest waits in a circle.
    void report_cycle() {
        std::vector<std::size_t> waiting(services_.size());
        std::vector<std::vector<std::size_t>> waited_for_by(services_.size());
        std::vector<std::size_t> startable;
        for (std::size_t i = 0; i < services_.size(); ++i) {
            waiting[i] = waits_for_[i].size();
            if (waiting[i] == 0) startable.push_back(i);
            for (const std::size_t other : waits_for_[i])
                waited_for_by[other].push_back(i);
        }
        while (!startable.empty()) {
            const std::size_t started = startable.back();
            startable.pop_back();
            for (const std::size_t other : waited_for_by[started]) {
                if (--waiting[other] == 0) startable.push_back(other);
            }
        }
        const auto stuck =
            std::find_if(waiting.begin(), waiting.end(), [](auto n) { return n > 0; });
        if (stuck != waiting.end()) {
            report_from(static_cast<std::size_t>(stuck - waiting.begin()), waiting);
        }
    }

private:
    void read_after(std::size_t i) {
        Value* after = usable(services_[i], "after");
        if (!after) return;
        for (std::size_t j = 0; j < after->items.size(); ++j) {
            Value& item = after->items[j];
            if (!item.is_scalar() || item.faulty) continue;
            const auto found = index_.find(item.text);
            if (found != index_.end()) {
                waits_for_[i].push_back(found->second);
            } else if (item.text != comfyui_service || !checking_.root.find("comfyui")) {
                report_unknown(item, key_path(key_path(key_path("services", i), "after"), j));
            }
        }
    }

    void report_unknown(Value& item, const std::string& path) {
        std::string more;
        if (known_.empty()) {
            more = "; there is none to wait for";
        } else if (known_.size() > most_named) {
            more = "; allowed: comfyui and the services' names";
        } else {
            if (!item.interpolated) more = did_you_mean(item.text, known_);
            if (more.empty()) more = fmt::format("; allowed: {}", fmt::join(known_, ", "));
        }
        checking_.diagnostics.add(
            item.place, path,
            fmt::format("found {}, which is no service here{}", shown(item), more));
    }

    // Follows the first that is stuck, too, until one comes again: that is the circle.
    void report_from(std::size_t start, const std::vector<std::size_t>& waiting) {
        std::vector<std::size_t> walk;
        std::vector<bool> seen(services_.size());
        std::size_t at = start;
        while (!seen[at]) {
            seen[at] = true;
            walk.push_back(at);
            const auto& next = waits_for_[at];
            at = *std::find_if(next.begin(), next.end(),
                               [&](std::size_t n) { return waiting[n] > 0; });
        }
        std::string circle;
        for (auto step = std::find(walk.begin(), walk.end(), at); step != walk.end(); ++step) {
            circle += service_name(*step) + " → ";
        }
        const Value* after = services_[at].find("after");
        checking_.diagnostics.add(after->place, key_path(key_path("services", at), "after"),
                                  fmt::format("services wait for each other in a circle: {}{}",
                                              circle, service_name(at)));
    }

    std::string service_name(std::size_t i) const {
        return template_text(*services_[i].find("name"));
    }

    const Checking& checking_;
    std::span<Value> services_;
    std::vector<std::string> known_;
    std::unordered_map<std::string, std::size_t> index_;
    std::vector<std::vector<std::size_t>> waits_for_;
};

}  // namespace

void check_services(const Checking& checking) {
    check_names(checking);
    check_ports(checking);
    check_ready(checking);
    Order{checking}.report_cycle();
}

}  // namespace podctl::tmpl
