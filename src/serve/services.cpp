#include "podctl/serve/services.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/process_stat.hpp"
#include "podctl/comfy/comfy.hpp"
#include "podctl/machine/machine.hpp"
#include "podctl/python/python.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

namespace podctl::serve {
namespace {

namespace fs = std::filesystem;

// The environment that a shell has after `source venv/bin/activate`.
void activate(Command& command, const fs::path& python) {
    python::put_first_in_path(python, command.environment);
    const fs::path venv = python.parent_path().parent_path();
    if (fs::exists(venv / "pyvenv.cfg")) {
        command.environment["VIRTUAL_ENV"] = venv.string();
    }
}

// What the template says of a name by itself wins.
void give_secrets(Command& command, const std::map<std::string, Secret>& secrets,
                  const std::optional<std::vector<std::string>>& only) {
    for (const auto& [name, value] : secrets) {
        if (!only || std::ranges::find(*only, name) != only->end())
            command.environment.emplace(name, value.reveal());
    }
}

// This pod's among those of its volume: a container has a host name of its own.
std::string folder_of_host() {
    const auto name = safe_file_name(host_name());
    return name.empty() ? "unnamed-host" : name;
}

// Where its environment is the pod's own, other pods may run from the same checkout.
comfy::OwnFolders own_folders(const tmpl::Template& pod, const plan::Places& places) {
    comfy::OwnFolders own;
    if (!places.keeps_environments_on_volume()) own.scratch = places.own;
    if (!places.keeps_custom_nodes_on_volume()) own.base = places.base;
    // Outputs outlive the pod, so they stay on the volume.
    if (!pod.pod.shared.output) own.output = places.comfyui / "output" / folder_of_host();
    return own;
}

ServiceSpec comfyui(const tmpl::Template& pod, const plan::Places& places, const fs::path& python,
                    const std::map<std::string, std::string>& environment, EventSink& events) {
    const auto& settings = *pod.comfyui;
    ServiceSpec spec;
    spec.name = "comfyui";
    spec.command.argv = {python.string()};
    const auto accelerator =
        machine::has_accelerator() ? comfy::Accelerator::present : comfy::Accelerator::none;
    const auto flags = comfy::read_flags(places.comfyui);
    auto& argv = spec.command.argv;
    std::ranges::move(comfy::launch_arguments(settings, flags, accelerator),
                      std::back_inserter(argv));
    std::ranges::move(comfy::arguments_of_its_own(settings, flags, own_folders(pod, places)),
                      std::back_inserter(argv));
    spec.command.working_directory = places.comfyui;
    spec.command.environment = environment;
    activate(spec.command, python);
    const fs::path session = places.own / "comfyui-session";
    spec.command.environment["__COMFY_CLI_SESSION__"] = session.string();
    spec.reboot_marker = session.string() + ".reboot";
    const std::string address = comfy::local_address(settings.listen);
    spec.ready = {.address = address,
                  .port = settings.port,
                  .http_path = "/system_stats",
                  .url = fmt::format("http://{}:{}", address, settings.port),
                  .timeout = settings.ready_timeout};
    spec.on_line = [&events,
                    report = std::make_shared<comfy::ImportReport>()](std::string_view line) {
        const auto failed = report->read(line);
        if (!failed) return;
        if (!failed->loads) return events.emit(event::NodeFailed{failed->node, failed->reason});
        events.emit(event::Notice{"node:" + failed->node,
                                  fmt::format("loads without a part of it: {}", failed->reason)});
    };
    return spec;
}

ServiceSpec service(const tmpl::Service& settings, const tmpl::Template& pod,
                    const plan::Places& places, const fs::path& comfyui_python,
                    const std::map<std::string, std::string>& environment) {
    ServiceSpec spec;
    spec.name = settings.name;
    spec.command.argv = settings.command;
    spec.command.working_directory =
        settings.cwd.empty() ? places.root : plan::under_root(pod, places.root, settings.cwd);
    spec.command.environment = environment;
    const fs::path python =
        settings.requirements
            ? python::environment_python(plan::service_environment(places, settings.name))
            : comfyui_python;
    if (!python.empty()) activate(spec.command, python);
    for (const auto& [name, value] : settings.env)
        spec.command.environment[name] = value;
    spec.after = settings.after;
    spec.restart = settings.restart;
    spec.ready.timeout = settings.ready.timeout;
    spec.ready.http_path = settings.ready.http;
    if (settings.port) {
        spec.ready.port = *settings.port;
        spec.ready.url = fmt::format("http://{}:{}", spec.ready.address, *settings.port);
    }
    return spec;
}

}  // namespace

std::vector<ServiceSpec> services_of(const tmpl::Template& pod, const plan::Places& places,
                                     const fs::path& python,
                                     const std::map<std::string, std::string>& environment,
                                     const std::map<std::string, Secret>& secrets,
                                     EventSink& events) {
    auto base = environment;
    base.emplace("PYTHONUNBUFFERED", "1");
    // Many images have it set, so that their layers are small; a start of ComfyUI takes twice as
    // long where nothing compiled is kept. Empty is unset (Python's -B).
    base.emplace("PYTHONDONTWRITEBYTECODE", "");
    std::vector<ServiceSpec> specs;
    if (pod.comfyui) {
        specs.push_back(comfyui(pod, places, python, base, events));
        give_secrets(specs.back().command, secrets, pod.comfyui->secrets);
    }
    for (const auto& it : pod.services) {
        specs.push_back(service(it, pod, places, python, base));
        give_secrets(specs.back().command, secrets, it.secrets);
    }
    return specs;
}

}  // namespace podctl::serve
