#pragma once

#include "podctl/base/own_process.hpp"
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

    // Writes it when it differs from what was given last. Throws Error{io}.
    void update(const std::vector<RunningService>& services);

private:
    std::filesystem::path file_;
    std::optional<std::vector<RunningService>> last_;
};

// A service that a podctl that was killed has left running: it leads its process group.
struct LeftService {
    OwnProcess leader;
    std::string name;
};
// Those of which the record proves that they are: of the same start of the machine, with the
// number, the start time, the group and the session that podctl gave them. What cannot be read is
// no error: the mark in their environment knows all services but those that have cleaned it.
std::vector<LeftService> find_left_services(const std::filesystem::path& pids,
                                            const OnNotice& on_notice);

}  // namespace podctl::serve
