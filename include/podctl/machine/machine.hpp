#pragma once

#include "podctl/base/fd.hpp"
#include "podctl/base/units.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What this machine is. Everything here is read from /proc, /sys, /etc, statvfs or NVML, without a
// child process (but nvidia-smi, where NVML says nothing) and without the network.
namespace podctl::machine {

struct Gpu {
    std::string name;
    Bytes memory;                // in total; 0: it does not tell (GB10 shares the host's)
    Bytes free = {};             // of it, now
    int compute_capability = 0;  // 89 for 8.9
    std::string uuid = {};       // "GPU-9c1f…"; empty: it does not tell
};

struct Gpus {
    std::vector<Gpu> devices;
    std::string driver;   // "550.54.15"; empty: no NVIDIA driver
    int cuda = 0;         // the newest CUDA that the driver runs, as NVML gives it: 12040; 0: none
    std::string problem;  // why there is none, or one less, than could be expected; may be empty
};

// Loads libnvidia-ml.so.1 with dlopen, which may take tens of milliseconds: ask only when it
// matters. Where it cannot be loaded or does not start and nvidia-smi is in PATH, that is asked,
// which may take seconds. Throws nothing of its own: what goes wrong is in `problem`.
Gpus inspect_gpus();

// Whether the device files of an NVIDIA, AMD or WSL GPU are there: cheap enough for every start.
bool has_accelerator();

// Changes when this machine gets another NVIDIA GPU or driver. By reading the driver's files alone,
// so for every start; empty where there is none. `driver` stands in for /proc/driver/nvidia.
std::string gpu_stamp(const std::filesystem::path& driver = "/proc/driver/nvidia");

struct TorchTag {
    std::string name;     // "cpu", "cu118" … "cu130"
    std::string warning;  // what a user should know of it; empty when all is well
};
// The PyTorch wheel tag that fits: "cpu" without a GPU, else the newest CUDA tag that the driver
// runs and that still has kernels for every device. Where there is none, the oldest with such
// kernels of the driver's own CUDA major version, with a warning (NVIDIA's minor-version
// compatibility). Throws Error{preflight} when no tag will do.
TorchTag torch_tag(const Gpus& gpus);
// Why a PyTorch of that tag does not use these GPUs, in words that go behind it: "is made for CUDA
// 13.0, and the NVIDIA driver 570.133 runs 12.8 at most". Empty: it does, or nobody can tell.
std::string why_torch_is_idle(std::string_view tag, const Gpus& gpus);

struct Machine {
    bool is_root = false;
    std::string os;          // ID of /etc/os-release: "debian"
    std::string os_version;  // VERSION_ID
    std::optional<std::filesystem::path> apt_get;
    unsigned cpus = 1;  // that this process may use (affinity, cgroup quota)
    Bytes memory;       // that this process may use (MemTotal, cgroup limit)
};
// Well under a millisecond.
Machine inspect();

// How a file system is reached, by the kernel's name of its kind (statfs(2)).
enum class Reach {
    local,    // a disk of this machine, or its memory
    network,  // other machines may see it too, and each new file costs a way to a server; FUSE,
              // since most of what rented volumes are mounted by is that
    unknown
};

// Of the file system that a path is on, or would be on.
Reach reach_of(const std::filesystem::path& path);

struct Root {
    bool exists = false;
    bool writable = false;   // the folder, or its nearest existing parent
    bool is_mount = false;   // a file system of its own is mounted there or above it (other than /)
    std::string filesystem;  // "ext4", "overlay", "fuse", …
    Bytes free;
};
Root inspect_root(const std::filesystem::path& root);

// How long a new file of 4 KiB takes in a folder that is there: the median of a few, which are
// removed again. nullopt: none can be made there.
std::optional<std::chrono::microseconds> time_of_new_file(const std::filesystem::path& folder);

// Whether a listener could be bound there now. An IPv4 or IPv6 address, "localhost", a list of them
// with commas, or empty for all of IPv4. Throws Error{preflight} for what is no address.
bool port_is_free(const std::string& address, std::uint16_t port);

// Non-blocking listeners there, one for each address; none when one of them cannot be had. Throws
// as port_is_free does. What is bound after they are closed needs SO_REUSEADDR, as servers set it.
std::vector<Fd> listen_on(const std::string& address, std::uint16_t port);

// The Debian packages of `wanted` that are not installed, by dpkg's status file. Names may carry
// ":arch". A package that an installed one provides counts as installed. All of them when there is
// no dpkg.
std::vector<std::string> missing_packages(const std::vector<std::string>& wanted);

}  // namespace podctl::machine
