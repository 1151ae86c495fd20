#include "podctl/serve/image_start.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/process.hpp"
#include "podctl/base/secret_names.hpp"
#include "podctl/base/thread.hpp"

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <utility>

namespace podctl::serve {

ImageStart::ImageStart(std::filesystem::path script, EventSink& events)
    : script_{std::move(script)},
      events_{events},
      thread_{start_thread(
          [this](const std::stop_token& stop) {
              run(stop);
              note_end();
          },
          [this](const std::exception_ptr& failure) {
              note_end();
              const Error error = as_error(failure);
              if (error.kind() != ErrorKind::interrupted) tell(error.message());
          })} {}

void ImageStart::tell(std::string text) {
    events_.emit(event::Notice{std::string{image_start_name}, std::move(text)});
}

void ImageStart::run(const std::stop_token& stop) {
    const auto take_line = [this](std::string_view line) {
        events_.emit(event::ServiceOutput{std::string{image_start_name}, std::string{line}});
    };
    // It is the image's own, and a container without podctl would give it the whole environment:
    // the platform's keys and Jupyter's password are for this script.
    const Command command{.argv = {script_.string()}, .environment = secret_environment()};
    const auto status = run_command(command, stop, {.on_line = take_line});
    tell(fmt::format("{} ended: {}", script_.string(), status.describe()));
}

void ImageStart::note_end() {
    const std::scoped_lock lock{mutex_};
    ended_ = true;
    changed_.notify_all();
}

bool ImageStart::runs() const {
    const std::scoped_lock lock{mutex_};
    return !ended_;
}

void ImageStart::wait(const std::stop_token& stop) {
    // Nothing tells of an orphan's end, so they are looked for.
    constexpr std::chrono::seconds orphan_interval{1};
    std::unique_lock lock{mutex_};
    while (!ended_ && !stop.stop_requested()) {
        changed_.wait_for(lock, stop, orphan_interval, [this] { return ended_; });
        if (adopts_orphans()) reap_orphans();
    }
}

}  // namespace podctl::serve
