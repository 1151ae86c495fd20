#include "podctl/base/beneath.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/file.hpp"
#include "podctl/machine/machine.hpp"

#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

namespace podctl::machine {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// statfs(2) and linux/magic.h; those that the kernel's headers do not have are the projects' own.
constexpr std::array<std::uint32_t, 16> networks{
    0x65735546,  // FUSE, which is MooseFS, sshfs, GlusterFS, JuiceFS, virtiofs
    0x00006969,  // NFS
    0x0000517B,  // SMB
    0xFE534D42,  // SMB2
    0xFF534D42,  // CIFS
    0x00C36400,  // Ceph
    0x01021997,  // 9p
    0x5346414F,  // AFS
    0x6B414653,  // the kernel's own AFS
    0x73757245,  // Coda
    0x0BD00BD0,  // Lustre
    0x47504653,  // GPFS
    0x7461636F,  // OCFS2
    0x01161970,  // GFS2
    0x19830326,  // BeeGFS
    0x786F4256,  // VirtualBox's shared folders
};
constexpr std::array<std::uint32_t, 11> disks{
    0x0000EF53,  // ext2, ext3, ext4
    0x58465342,  // XFS
    0x9123683E,  // Btrfs
    0x794C7630,  // overlay
    0x01021994,  // tmpfs
    0x858458F6,  // ramfs
    0x2FC12FC1,  // ZFS
    0xF2F52010,  // F2FS
    0xCA451A4E,  // bcachefs
    0x52654973,  // ReiserFS
    0x3153464A,  // JFS
};

// nullopt: it cannot be made.
std::optional<Clock::duration> make_and_remove(const Fd& folder, const std::string& name) {
    static constexpr std::array<char, 4096> bytes{};
    const auto began = Clock::now();
    Fd file{::openat(folder.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    if (!file) return std::nullopt;
    const bool written =
        ::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
    // A network file system may hand the bytes over only now.
    file = Fd{};
    const auto took = Clock::now() - began;
    ::unlinkat(folder.get(), name.c_str(), 0);
    return written ? std::optional{took} : std::nullopt;
}

}  // namespace

Reach reach_of(const fs::path& path) {
    struct statfs status {};
    if (::statfs(nearest_existing(path).c_str(), &status) != 0) return Reach::unknown;
    const auto kind = static_cast<std::uint32_t>(status.f_type);
    if (std::ranges::find(networks, kind) != networks.end()) return Reach::network;
    if (std::ranges::find(disks, kind) != disks.end()) return Reach::local;
    return Reach::unknown;
}

std::optional<std::chrono::microseconds> time_of_new_file(const fs::path& folder) {
    constexpr int files = 5;
    const Fd place = open_folder_beneath(folder, Missing::fail);
    if (!place) return std::nullopt;
    std::random_device random;
    std::vector<Clock::duration> times;
    for (int i = 0; i < files; ++i) {
        // Podctl has the same process id in every container of a fleet.
        const auto name = ".podctl-measures-" + std::to_string(random()) + "-" + std::to_string(i);
        const auto took = make_and_remove(place, name);
        if (!took) return std::nullopt;
        times.push_back(*took);
    }
    const auto middle = times.begin() + files / 2;
    std::ranges::nth_element(times, middle);
    return std::chrono::duration_cast<std::chrono::microseconds>(*middle);
}

}  // namespace podctl::machine
