#include "podctl/http/body_reader.hpp"

#include "podctl/base/error.hpp"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace podctl::http {
namespace {

// A paused body is looked at again after some milliseconds: so much is read meanwhile.
constexpr std::size_t most_waiting = 2u << 20;

}  // namespace

// Shared with the client's thread, which may call once more after the reader is gone.
struct BodyReader::State {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::optional<Response> answer;  // under mutex, as all that follows
    std::string waiting;
    bool ended = false;
    std::exception_ptr failure;
};

template <class Condition>
void BodyReader::wait_until(Condition is_due) {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, stop_, [&] { return state_->ended || is_due(*state_); });
    if (stop_.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
    if (is_due(*state_)) return;
    if (state_->failure) failure_ = std::exchange(state_->failure, nullptr);
    if (failure_) std::rethrow_exception(failure_);
}

BodyReader::BodyReader(Client& http, Request request, std::stop_token stop)
    : http_(http), stop_(std::move(stop)), state_(std::make_shared<State>()) {
    const auto change = [state = state_](auto&& what) {
        const std::scoped_lock lock(state->mutex);
        what(*state);
        state->changed.notify_one();
    };
    id_ = http_.start(std::move(request),
                      {.on_headers =
                           [change](const Response& answer) {
                               change([&](State& state) { state.answer = answer; });
                               return true;
                           },
                       .on_body =
                           [change](const char* data, std::size_t size) {
                               change([&](State& state) { state.waiting.append(data, size); });
                           },
                       .has_room =
                           [state = state_] {
                               const std::scoped_lock lock(state->mutex);
                               return state->waiting.size() < most_waiting;
                           },
                       .on_end =
                           [change](Response, std::exception_ptr failure) {
                               change([&](State& state) {
                                   state.ended = true;
                                   state.failure = std::move(failure);
                               });
                           }});
    try {
        wait_until([](const State& state) { return state.answer.has_value(); });
    } catch (...) {
        http_.cancel(id_);
        throw;
    }
}

BodyReader::~BodyReader() {
    http_.cancel(id_);
}

const Response& BodyReader::answer() const {
    return *state_->answer;  // written once, before the constructor returned
}

std::size_t BodyReader::read(std::span<char> into) {
    if (taken_ == current_.size()) {
        wait_until([](const State& state) { return !state.waiting.empty(); });
        current_.clear();
        taken_ = 0;
        const std::scoped_lock lock(state_->mutex);
        current_.swap(state_->waiting);
    }
    const auto size = std::min(into.size(), current_.size() - taken_);
    std::copy_n(current_.data() + taken_, size, into.data());
    taken_ += size;
    return size;
}

}  // namespace podctl::http
