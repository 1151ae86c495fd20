#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace podctl {

// What proc(5) tells of a process.
struct ProcessStat {
    pid_t group = 0;
    // In clock ticks since the machine's boot: with the pid it names a process for good.
    unsigned long long start_time = 0;
};

// nullopt: there is none, or only a zombie of it.
std::optional<ProcessStat> read_process(pid_t pid);

// Whether anything still runs in the process group. Zombies, which an init that does not reap
// leaves for ever, do not count.
bool group_runs(pid_t group);

// Another one after every start of the machine (random(4)); empty where the kernel tells none.
std::string boot_id();

}  // namespace podctl
