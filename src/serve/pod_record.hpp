#pragma once

#include "podctl/serve/serve.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace podctl::serve {

// pod.json while the pod runs; the destructor removes it.
class PodRecord {
public:
    explicit PodRecord(std::filesystem::path file);
    PodRecord(const PodRecord&) = delete;
    PodRecord& operator=(const PodRecord&) = delete;
    ~PodRecord();

    // Writes it when it differs from what was written last. Throws Error{io}.
    void update(const std::vector<RunningService>& services);

private:
    std::filesystem::path file_;
    std::string written_;
};

// When the process was started, in clock ticks since the machine's boot (proc(5), stat, field 22):
// with the pid it names a process for good. nullopt: there is none, or only a zombie of it.
std::optional<unsigned long long> start_time(pid_t pid);

}  // namespace podctl::serve
