#include "podctl/base/file.hpp"
#include "podctl/machine/machine.hpp"

#include "steps.hpp"

#include <fmt/format.h>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;

void check_root(const fs::path& root) {
    const auto facts = machine::inspect_root(root);
    if (!facts.writable) {
        throw Error{ErrorKind::preflight, fmt::format("{} is not writable", root.string()),
                    "mount the volume there, or name another place with --root"};
    }
}

void check_port(const std::string& who, const std::string& address, std::uint16_t port) {
    if (machine::port_is_free(address, port)) return;
    throw Error{
        ErrorKind::preflight, fmt::format("{}: port {} is in use", who, port),
        fmt::format(
            "see who listens with `ss -ltnp sport = :{}` and stop it, or give {} another port",
            port, who)};
}

void check_ports(const tmpl::Template& pod) {
    if (pod.comfyui) check_port("comfyui", pod.comfyui->listen, pod.comfyui->port);
    for (const auto& service : pod.services) {
        if (service.port) check_port("service " + service.name, "0.0.0.0", *service.port);
    }
}

void check_gpu(const tmpl::Gpu& wanted) {
    const auto gpus = machine::inspect_gpus();
    int fitting = 0;
    for (const auto& device : gpus.devices) {
        if (device.memory >= wanted.min_vram.value_or(Bytes{})) ++fitting;
    }
    if (fitting >= wanted.count) return;
    std::string found = gpus.devices.empty() ? "none" : "";
    for (const auto& device : gpus.devices) {
        found += fmt::format("{}{} ({})", found.empty() ? "" : ", ", device.name,
                             format_bytes(device.memory));
    }
    if (!gpus.problem.empty()) found += fmt::format(" ({})", gpus.problem);
    throw Error{
        ErrorKind::preflight,
        fmt::format("pod.gpu wants {} GPU(s){}; found: {}", wanted.count,
                    wanted.min_vram ? " with " + format_bytes(*wanted.min_vram) : "", found),
        "rent a pod with such a GPU, or take pod.gpu out of the template"};
}

void check_packages(const std::vector<std::string>& names) {
    const auto missing = machine::missing_packages(names);
    const auto here = machine::inspect();
    if (missing.empty() || (here.is_root && here.apt_get)) return;
    std::string list;
    for (const auto& name : missing)
        list += " " + name;
    throw Error{ErrorKind::preflight, "these system packages are missing:" + list,
                here.apt_get ? "run as root, or install them: sudo apt-get install" + list
                             : "install them with this system's package manager"};
}

// What is still to be downloaded has to fit, before the first byte is asked for.
void check_space(const Context& context) {
    const Bytes free{free_space(context.places.root)};
    if (context.disk_needed <= free) return;
    throw Error{ErrorKind::preflight,
                fmt::format("{} has {} free, the models need {}", context.places.root.string(),
                            format_bytes(free), format_bytes(context.disk_needed)),
                "make room, or give the volume more space"};
}

}  // namespace

// Looking is all that this step does, so it always runs.
Look look(const plan::Preflight&, const Task&) {
    return {.change = plan::Change::keep, .reason = {}};
}

Outcome perform(const plan::Preflight& action, const Task& task) {
    check_root(task.context.places.root);
    if (task.context.options.will_launch) check_ports(task.context.pod);
    if (action.gpu) check_gpu(*action.gpu);
    check_packages(action.system_packages);
    check_space(task.context);
    for (const auto& name : task.context.secrets.missing) {
        task.notice(fmt::format("secret {} has no value: set ${}, or ${}_FILE", name, name, name));
    }
    return {.changed = false, .facts = {}};
}

}  // namespace podctl::run
