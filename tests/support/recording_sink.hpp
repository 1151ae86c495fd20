#pragma once

#include "podctl/event/event.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <variant>
#include <vector>

namespace podctl::test {

// Keeps every event, and lets a test wait for one.
class RecordingSink : public EventSink {
public:
    // Called with each event, by the thread that emits it. To be set before the first.
    std::function<void(const Event&)> on_event = {};

    void emit(const Event& event) override {
        {
            const std::scoped_lock lock(mutex_);
            events_.push_back(event);
        }
        changed_.notify_all();
        if (on_event) on_event(event);
    }

    template <class E>
    std::vector<E> all() const {
        const std::scoped_lock lock(mutex_);
        return matching<E>([](const E&) { return true; });
    }

    // The `number`th event of its kind for which `is_wanted` holds.
    template <class E>
    E wait_for(const std::function<bool(const E&)>& is_wanted, std::size_t number = 1) {
        std::unique_lock lock(mutex_);
        const bool came = changed_.wait_for(lock, std::chrono::seconds(60), [&] {
            return matching<E>(is_wanted).size() >= number;
        });
        if (!came) throw std::runtime_error("the event did not come within a minute");
        return matching<E>(is_wanted)[number - 1];
    }
    template <class E>
    E wait_for(std::size_t number = 1) {
        return wait_for<E>([](const E&) { return true; }, number);
    }

private:
    template <class E>
    std::vector<E> matching(const std::function<bool(const E&)>& is_wanted) const {
        std::vector<E> found;
        for (const auto& event : events_)
            if (const auto* one = std::get_if<E>(&event); one && is_wanted(*one))
                found.push_back(*one);
        return found;
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Event> events_;
};

}  // namespace podctl::test
