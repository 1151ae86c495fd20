#include "podctl/serve/services.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process_stat.hpp"
#include "podctl/comfy/code_copy.hpp"
#include "podctl/comfy/comfy.hpp"
#include "podctl/machine/machine.hpp"
#include "podctl/python/python.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <utility>

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

// What a start of ComfyUI is made of. Each start reads the checkout's flags anew, since an update
// may have changed them.
struct ComfyUiStart {
    tmpl::ComfyUi settings;
    tmpl::Shared shared;
    plan::Places places;
    comfy::Accelerator accelerator;
    Command command;  // without its arguments

    Command from_checkout() const {
        auto own = own_folders();
        if (!places.keeps_custom_nodes_on_volume()) own.base = places.base;
        return with_arguments("main.py", comfy::read_flags(places.comfyui), own);
    }

    // Throws where the copy cannot be made equal to the checkout.
    Command from_copy(const std::stop_token& stop) const {
        try {
            comfy::sync_code({places.comfyui, places.base, places.code}, stop);
        } catch (const Error& error) {
            throw Error{error.kind(), fmt::format("ComfyUI runs from {}, and not from {}: {}",
                                                  places.comfyui.string(), places.code.string(),
                                                  error.message())};
        }
        const auto flags = comfy::read_flags(places.code);
        if (!comfy::can_run_from_copy(flags)) return from_checkout();
        auto own = own_folders();
        own.base = places.base;
        if (const auto paths = places.comfyui / "extra_model_paths.yaml"; file_stamp(paths))
            own.extra_model_paths = paths;
        auto made = with_arguments(places.code / "main.py", flags, own);
        // Where ComfyUI-Manager finds the checkout (glob/manager_core.py).
        made.environment.emplace("COMFYUI_PATH", places.comfyui.string());
        return made;
    }

private:
    // Where its environment is the pod's own, other pods may run from the same checkout.
    comfy::OwnFolders own_folders() const {
        comfy::OwnFolders own;
        if (!places.keeps_environments_on_volume()) own.scratch = places.own;
        // Outputs outlive the pod, so they stay on the volume.
        if (!shared.output) own.output = places.comfyui / "output" / folder_of_host();
        return own;
    }

    // In the checkout, whatever is run: relative paths of the template's `args` are from there.
    Command with_arguments(const fs::path& main, const std::set<std::string>& flags,
                           const comfy::OwnFolders& own) const {
        auto made = command;
        auto arguments = comfy::launch_arguments(settings, flags, accelerator);
        arguments.front() = main.string();
        // Before the template's, as ComfyUI reads its own extra_model_paths.yaml first.
        std::ranges::copy(comfy::arguments_of_its_own(settings, flags, own),
                          std::inserter(arguments, arguments.begin() + 1));
        std::ranges::move(arguments, std::back_inserter(made.argv));
        return made;
    }
};

ServiceSpec comfyui(const tmpl::Template& pod, const plan::Places& places, const fs::path& python,
                    const std::map<std::string, std::string>& environment,
                    const std::map<std::string, Secret>& secrets, EventSink& events) {
    const auto& settings = *pod.comfyui;
    ServiceSpec spec;
    spec.name = comfyui_service;
    const auto accelerator =
        machine::has_accelerator() ? comfy::Accelerator::present : comfy::Accelerator::none;
    ComfyUiStart start{.settings = settings,
                       .shared = pod.pod.shared,
                       .places = places,
                       .accelerator = accelerator,
                       .command = {.argv = {python.string()}}};
    start.command.working_directory = places.comfyui;
    start.command.environment = environment;
    activate(start.command, python);
    const fs::path session = places.own / "comfyui-session";
    start.command.environment["__COMFY_CLI_SESSION__"] = session.string();
    give_secrets(start.command, secrets, settings.secrets);
    spec.command = start.from_checkout();
    if (!places.code.empty())
        spec.prepare = [start = std::move(start)](const std::stop_token& stop) {
            return start.from_copy(stop);
        };
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
        specs.push_back(comfyui(pod, places, python, base, secrets, events));
    }
    for (const auto& it : pod.services) {
        specs.push_back(service(it, pod, places, python, base));
        give_secrets(specs.back().command, secrets, it.secrets);
    }
    return specs;
}

}  // namespace podctl::serve
