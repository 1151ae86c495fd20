#include "podctl/machine/machine.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/trust.hpp"
#include "podctl/run/own_disk.hpp"
#include "podctl/run/volume_lock.hpp"

#include "machine_checks.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;

std::string describe(const machine::Gpu& gpu) {
    return fmt::format("{}, {}, compute capability {}.{}", gpu.name, format_bytes(gpu.memory),
                       gpu.compute_capability / 10, gpu.compute_capability % 10);
}

std::string describe(const machine::Gpus& gpus) {
    std::vector<std::string> names;
    for (const auto& device : gpus.devices)
        names.push_back(fmt::format("{} ({})", device.name, format_bytes(device.memory)));
    std::string found = names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
    if (!gpus.problem.empty()) found += fmt::format(" ({})", gpus.problem);
    return found;
}

// Bytes a second of writing and syncing a file that has no name and goes with its descriptor;
// nullopt: the file system knows no such files. Throws Error{io}: of a full disk, say.
std::optional<double> write_rate(const fs::path& folder) {
    constexpr std::size_t block_size = 1 << 20, blocks = 64;
    const Fd file{::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600)};
    if (!file && errno == EOPNOTSUPP) return std::nullopt;
    if (!file) throw system_error("cannot write to " + folder.string(), errno);
    const std::string block(block_size, 'x');
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < blocks; ++i)
        write_all(file.get(), block, folder);
    if (::fdatasync(file.get()) != 0)
        throw system_error("cannot write to " + folder.string(), errno);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    return static_cast<double>(block_size * blocks) / took.count();
}

void check_port(Examination& found, const std::string& who, const std::string& address,
                std::uint16_t port, const std::set<std::uint16_t>& own) {
    const std::string check = fmt::format("port {}", port);
    if (machine::port_is_free(address, port))
        return found.ok(check, fmt::format("free for {}", who));
    if (own.contains(port)) return found.ok(check, "this pod's own, which runs");
    found.fail(
        check, fmt::format("{}: port {} is in use", who, port),
        fmt::format(
            "see who listens with `ss -ltnp sport = :{}` and stop it, or give {} another port",
            port, who));
}

}  // namespace

void check_gpu(Examination& found, const std::optional<tmpl::Gpu>& wanted) {
    const auto& gpus = found.context().gpus();
    int fitting = 0;
    for (std::size_t i = 0; i < gpus.devices.size(); ++i) {
        const auto& device = gpus.devices[i];
        const bool fits = !wanted || device.memory >= wanted->min_vram.value_or(Bytes{});
        if (fits) ++fitting;
        const std::string check = fmt::format("gpu {}", i);
        if (fits) {
            found.ok(check, describe(device));
        } else if (wanted) {
            found.warn(check,
                       fmt::format("{}: less than pod.gpu.min_vram, {}", describe(device),
                                   format_bytes(*wanted->min_vram)),
                       "rent a pod with a larger GPU, or lower pod.gpu.min_vram");
        }
    }
    if (!gpus.driver.empty()) {
        found.ok("driver", fmt::format("NVIDIA {}, runs CUDA {}.{}", gpus.driver, gpus.cuda / 1000,
                                       gpus.cuda % 1000 / 10));
    }
    if (!wanted) {
        if (gpus.devices.empty() && !gpus.problem.empty())
            found.warn("gpu", gpus.problem, "ComfyUI will run on the CPU; take a pod with a GPU");
        if (gpus.devices.empty() && gpus.problem.empty())
            found.ok("gpu", "none, and the template does not ask for one");
        return;
    }
    if (fitting >= wanted->count) return;
    found.fail("gpu",
               fmt::format("pod.gpu wants {} GPU(s){}; found: {}", wanted->count,
                           wanted->min_vram ? " with " + format_bytes(*wanted->min_vram) : "",
                           describe(gpus)),
               "rent a pod with such a GPU, or take pod.gpu out of the template");
}

void check_root(Examination& found) {
    const fs::path& root = found.context().places.root;
    if (machine::inspect_root(root).writable) {
        const Fd folder{::open(nearest_existing(root).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        if (!folder || !others_may_replace_in(folder.get()))
            return found.ok("root", fmt::format("{} is writable", root.string()));
        return found.warn(
            "root",
            fmt::format("{}: its other users may put other folders in the place of podctl's",
                        root.string()),
            fmt::format("if the volume has other users: chmod +t {}", root.string()));
    }
    found.fail("root", fmt::format("{} is not writable", root.string()),
               "mount the volume there, or name another place with --root");
}

void check_volume(Examination& found) {
    const fs::path& root = found.context().places.root;
    const auto facts = machine::inspect_root(root);
    if (facts.is_mount) {
        found.ok("volume",
                 fmt::format("{} is on a volume of its own ({})", root.string(), facts.filesystem));
    } else {
        found.warn("volume",
                   fmt::format("{} is the container's own disk ({}): it goes with the container",
                               root.string(), facts.filesystem),
                   "mount the volume there before downloading models");
    }
    if (!facts.writable) return;
    std::optional<double> rate;
    try {
        rate = write_rate(nearest_existing(root));
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::io) throw;
        return found.fail("volume speed", error.message(), error.hint());
    }
    if (!rate) return;
    constexpr double slow = 50e6;
    const std::string message =
        fmt::format("writes {}/s", format_bytes(Bytes{static_cast<std::uint64_t>(*rate)}));
    if (*rate >= slow) return found.ok("volume speed", message);
    found.warn("volume speed", message + ": models will load slowly", "take a faster volume");
}

void check_disks(Examination& found) {
    const auto& places = found.context().places;
    found.ok("environments",
             fmt::format("in {}, since {}", places.environment.parent_path().string(),
                         why_disk_of_environments(found.context().pod, places)));
    if (!places.code.empty())
        found.ok("comfyui code", fmt::format("runs from {}, made equal to {} before each start",
                                             places.code.string(), places.comfyui.string()));
    // This pod's own podctl is told of by its port.
    const auto holder = holder_of_volume(places);
    if (holder) found.ok("volume lock", fmt::format("held by {}", to_string(*holder)));
}

namespace {

void check_space_in(Examination& found, const char* check, const fs::path& folder, Bytes needed) {
    const Bytes free{free_space(folder)};
    if (needed <= free) {
        return found.ok(
            check, fmt::format("{} free, {} needed", format_bytes(free), format_bytes(needed)));
    }
    found.fail(check,
               fmt::format("{} has {} free, the models need {}", folder.string(),
                           format_bytes(free), format_bytes(needed)),
               "make room, or give the volume more space");
}

}  // namespace

void check_space(Examination& found, Bytes needed) {
    const auto& root = found.context().places.root;
    const auto& container = found.context().pod.pod.container_disk;
    if (container && *container < needed && !machine::inspect_root(root).is_mount)
        found.fail("container disk",
                   fmt::format("{} is on the container's disk, which pod.container_disk says has "
                               "{}, the models need {}",
                               root.string(), format_bytes(*container), format_bytes(needed)),
                   "mount a volume there, or give the pod a larger container_disk");
    check_space_in(found, "disk", root, needed);
}

void check_space_of_store(Examination& found, Bytes needed) {
    if (needed.count > 0) check_space_in(found, "store", found.context().options.store, needed);
}

void check_ports(Examination& found, const std::set<std::uint16_t>& own) {
    const auto& pod = found.context().pod;
    if (pod.comfyui) check_port(found, "comfyui", pod.comfyui->listen, pod.comfyui->port, own);
    for (const auto& service : pod.services) {
        if (service.port)
            check_port(found, "service " + service.name, "0.0.0.0", *service.port, own);
    }
}

void check_packages(Examination& found, const std::vector<std::string>& names) {
    if (names.empty()) return;
    const auto missing = machine::missing_packages(names);
    if (missing.empty()) return found.ok("system packages", "all installed");
    const std::string list = fmt::format("{}", fmt::join(missing, " "));
    const auto here = machine::inspect();
    if (here.is_root && here.apt_get)
        return found.ok("system packages", "to be installed: " + list);
    found.fail("system packages", "these system packages are missing: " + list,
               here.apt_get ? "run as root, or install them: sudo apt-get install " + list
                            : "install them with this system's package manager");
}

}  // namespace podctl::run
