#include "preparation.hpp"

#include "podctl/base/thread.hpp"

#include <utility>

namespace podctl::serve {

Preparation::Preparation(const Work& work, const WakeUp& done)
    : thread_{start_thread(
          [this, &work, &done](const std::stop_token& stop) {
              auto command = work(stop);
              const std::scoped_lock lock{mutex_};
              command_ = std::move(command);
              done.wake();
          },
          [this, &done](std::exception_ptr caught) {
              const std::scoped_lock lock{mutex_};
              failure_ = std::move(caught);
              done.wake();
          })} {}

bool Preparation::is_done() const {
    const std::scoped_lock lock{mutex_};
    return command_ || failure_;
}

Command Preparation::take() {
    const std::scoped_lock lock{mutex_};
    if (failure_) throw as_error(failure_);
    return *std::move(command_);
}

}  // namespace podctl::serve
