#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace podctl {

// What proc(5) tells of a process.
struct ProcessStat {
    pid_t parent = 0;
    pid_t group = 0;
    pid_t session = 0;
    // In clock ticks since the machine's boot: with the pid it names a process for good.
    unsigned long long start_time = 0;
};

// nullopt: there is none, or only a zombie of it.
std::optional<ProcessStat> read_process(pid_t pid);

// Whether anything still runs in the process group. Zombies, which an init that does not reap
// leaves for ever, do not count.
bool group_runs(pid_t group);

// A variable for the environment of children, by which they are known when their podctl was killed:
// they have it from the start of their program on and hand it on to their own, which no record that
// is written afterwards can promise. `folder` says what they work for: the state of a root.
std::map<std::string, std::string> child_mark(const std::filesystem::path& folder);
// As it would be made in another session.
std::map<std::string, std::string> child_mark(const std::filesystem::path& folder, pid_t session);

// Another one after every start of the machine (random(4)); empty where the kernel tells none.
std::string boot_id();
// What the numbers of processes are counted in here, since a container has its own
// (pid_namespaces(7)): "pid:[4026531836]". Empty: it cannot be told.
std::string pid_namespace();
// This machine's, or container's; empty: it has none.
std::string host_name();

}  // namespace podctl
