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

    // Writes it when it differs from what was given last. Throws Error{io}.
    void update(const std::vector<RunningService>& services);

private:
    std::filesystem::path file_;
    std::optional<std::vector<RunningService>> last_;
};

}  // namespace podctl::serve
