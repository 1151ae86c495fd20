#include "executor.hpp"

#include "podctl/base/thread.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace podctl::run {
namespace {

enum class State { waiting, running, ended, not_run };

// Downloads at once. What they take from the network is bounded by the connections that they share,
// small files first; this bounds the threads.
constexpr unsigned most_downloads = 32;

class Executor {
public:
    Executor(const plan::Plan& plan, StepRunner& runner, unsigned jobs, std::stop_token stop)
        : plan_(plan), runner_(runner), jobs_(std::max(1u, jobs)), stop_(std::move(stop)) {
        for (const auto& step : plan.steps)
            states_[step.id] = State::waiting;
    }

    std::map<std::string, StepEnd> run() {
        std::unique_lock lock{mutex_};
        for (;;) {
            start_what_is_ready(lock);
            if (running_ == 0) break;
            changed_.wait(lock, [this] { return news_; });
            news_ = false;
            join_ended(lock);
        }
        lock.unlock();
        threads_.clear();
        return std::move(ends_);
    }

private:
    void start_what_is_ready(std::unique_lock<std::mutex>& lock) {
        bool again = true;
        while (again) {
            again = false;
            for (const auto& step : plan_.steps) {
                if (states_[step.id] != State::waiting) continue;
                if (const auto* broken = broken_need(step)) {
                    states_[step.id] = State::not_run;
                    changed_.notify_all();
                    again = true;
                    const std::string because_of = *broken;
                    lock.unlock();
                    runner_.not_run(step, because_of);
                    lock.lock();
                } else if (!stop_.stop_requested() && may_start(step)) {
                    start(step);
                }
            }
        }
    }

    const std::string* broken_need(const plan::Step& step) {
        for (const auto& need : step.needs) {
            const auto state = states_.find(need);
            if (state == states_.end()) continue;
            if (state->second == State::not_run) return &need;
            if (state->second != State::ended) continue;
            if (ends_[need].state == StepEnd::State::failed) return &need;
        }
        return nullptr;
    }

    bool has_ended(const std::string& id) const {
        const auto state = states_.find(id);
        return state == states_.end() || state->second == State::ended ||
               state->second == State::not_run;
    }

    // A need that was not run has been told of before (broken_need).
    bool may_start(const plan::Step& step) {
        const auto ended = [this](const std::string& id) { return has_ended(id); };
        if (!std::ranges::all_of(step.needs, ended) || !std::ranges::all_of(step.after, ended))
            return false;
        if (!step.exclusive.empty() && exclusive_.contains(step.exclusive)) return false;
        const auto lane = plan::lane_of(step);
        return lanes_[lane] < limit_of(lane);
    }

    unsigned limit_of(plan::Lane lane) const {
        switch (lane) {
            case plan::Lane::work:
                return jobs_;
            case plan::Lane::download:
                return most_downloads;
        }
        return 1;
    }

    void start(const plan::Step& step) {
        states_[step.id] = State::running;
        ++running_;
        ++lanes_[plan::lane_of(step)];
        if (!step.exclusive.empty()) exclusive_.insert(step.exclusive);
        threads_[step.id] = start_thread(
            [this, &step](const std::stop_token&) {
                note_end(step,
                         runner_.run(
                             step, [this](const std::string& id) { return wait_for(id); }, stop_));
            },
            [this, &step](const std::exception_ptr& failure) {
                note_end(step, {StepEnd::State::failed, as_error(failure).kind()});
            });
    }

    // A thread that has ended keeps its stack until it is joined, and steps may be thousands.
    void join_ended(std::unique_lock<std::mutex>& lock) {
        std::vector<std::jthread> ended;
        for (const auto& id : std::exchange(just_ended_, {}))
            ended.push_back(std::move(threads_.extract(id).mapped()));
        lock.unlock();
        ended.clear();
        lock.lock();
    }

    void note_end(const plan::Step& step, const StepEnd& end) {
        const std::scoped_lock lock{mutex_};
        ends_[step.id] = end;
        states_[step.id] = State::ended;
        --running_;
        --lanes_[plan::lane_of(step)];
        exclusive_.erase(step.exclusive);
        just_ended_.push_back(step.id);
        news_ = true;
        changed_.notify_all();
    }

    bool wait_for(const std::string& id) {
        std::unique_lock lock{mutex_};
        const auto state = states_.find(id);
        if (state == states_.end()) return true;
        const auto settled = [&] {
            return state->second == State::ended || state->second == State::not_run;
        };
        while (!settled()) {
            if (!stop_.stop_requested()) {
                changed_.wait(lock, stop_, settled);
                continue;
            }
            // Once stopped, what waits will never start; what runs comes to its end.
            if (state->second == State::waiting) return false;
            changed_.wait(lock, settled);
        }
        return state->second == State::ended && ends_[id].state != StepEnd::State::failed;
    }

    const plan::Plan& plan_;
    StepRunner& runner_;
    const unsigned jobs_;
    const std::stop_token stop_;

    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool news_ = false;
    std::map<std::string, State> states_;
    std::map<std::string, StepEnd> ends_;
    std::map<plan::Lane, unsigned> lanes_;
    std::set<std::string> exclusive_;
    unsigned running_ = 0;
    std::vector<std::string> just_ended_ = {};
    // By the main thread alone. Last: joined before the rest goes.
    std::map<std::string, std::jthread> threads_;
};

}  // namespace

std::map<std::string, StepEnd> execute(const plan::Plan& plan, StepRunner& runner, unsigned jobs,
                                       std::stop_token stop) {
    return Executor{plan, runner, jobs, std::move(stop)}.run();
}

}  // namespace podctl::run
