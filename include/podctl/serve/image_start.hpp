#pragma once

#include "podctl/event/event.hpp"

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <stop_token>
#include <string_view>
#include <thread>

namespace podctl::serve {

// What its lines are marked with.
constexpr std::string_view image_start_name = "image-start";

// The start script of the pod's image, which brings up what a person reaches the container with:
// RunPod's /start.sh starts nginx, SSH and Jupyter, and sleeps. A container's entrypoint that takes
// its place has to run it too. It runs beside everything else, from the constructor to the
// destructor (TERM to its group, grace, KILL); an end of its own ends nothing else and is told.
class ImageStart {
public:
    // `script` is looked up in PATH. One that cannot be started is told of, as one that has ended.
    ImageStart(std::filesystem::path script, EventSink& events);
    ImageStart(const ImageStart&) = delete;
    ImageStart& operator=(const ImageStart&) = delete;

    bool runs() const;
    // Blocks until it has ended or a stop is requested, and reaps orphans meanwhile: for when no
    // pod's loop does (run_pod).
    void wait(const std::stop_token& stop);

private:
    void run(const std::stop_token& stop);
    void note_end();
    void tell(std::string text);

    const std::filesystem::path script_;
    EventSink& events_;
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    bool ended_ = false;  // under mutex_
    std::jthread thread_;
};

}  // namespace podctl::serve
