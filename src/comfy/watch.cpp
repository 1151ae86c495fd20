#include "watch.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/stop.hpp"
#include "podctl/base/units.hpp"
#include "podctl/base/url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace podctl::comfy {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds handshake_timeout{5'000};
// With a socket, which a proxy may have let fall asleep.
constexpr milliseconds look_anyway{2'000};
constexpr milliseconds first_pause{100}, longest_pause{1'000};
// ComfyUI says that it has ended a moment before the history has it.
constexpr milliseconds pause_at_end{50};
constexpr milliseconds queue_pause{2'000};

Error stopped() {
    return Error{ErrorKind::interrupted, "stopped while the workflow ran"};
}

std::uint64_t count_at(const json& object, const char* key) {
    const auto* value = member(object, key);
    const double number = value && value->is_number() ? value->get<double>() : 0;
    return number >= 1 && number < 1e15 ? static_cast<std::uint64_t>(number) : 0;
}

}  // namespace

Watch::Watch(const Client& client, const RunMonitor& monitor, milliseconds patience,
             const std::string& client_id)
    : client_(client), monitor_(monitor), patience_(patience) {
    try {
        socket_ = std::make_unique<http::WebSocket>(
            client.http(), client.url("/ws?clientId=" + percent_encode(client_id)),
            std::min(handshake_timeout, client.left()), client.stop());
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::network) throw;
        notice("no progress by WebSocket, so ComfyUI is asked again and again: " + error.message());
    }
}

json Watch::wait(const std::string& prompt_id, const json& prompt) {
    prompt_id_ = prompt_id;
    prompt_ = prompt;
    answered_ = asked_queue_ = Clock::now();
    report();
    while (true) {
        if (client_.left() == milliseconds{0})
            throw Error{ErrorKind::smoke, "the time is over: " + state(),
                        "give it more with --timeout, or smoke.timeout of the template"};
        wait_for_news();
        if (auto entry = look()) return *entry;
    }
}

void Watch::wait_for_news() {
    if (has_ended_)
        pause_ = pause_at_end;
    else if (socket_)
        pause_ = look_anyway;
    else
        pause_ = std::clamp(pause_ * 3 / 2, first_pause, longest_pause);
    const auto time = std::min(pause_, client_.left());
    if (socket_ && !has_ended_) return listen(Clock::now() + time);
    if (!wait_for(time, client_.stop())) throw stopped();
}

void Watch::listen(Clock::time_point until) {
    try {
        while (!has_ended_ && Clock::now() < until) {
            const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
            if (const auto message = socket_->receive(left, client_.stop())) read(*message);
        }
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted) throw stopped();
        if (error.kind() != ErrorKind::network) throw;
        notice("the WebSocket was lost, so ComfyUI is asked again and again: " + error.message());
        socket_.reset();
        pause_ = milliseconds{0};
    }
}

// What ComfyUI sends: comfy_execution/progress.py and execution.py (add_message).
void Watch::read(const std::string& message) {
    const auto parsed = parse_python_json(message);
    if (!parsed) return;
    const auto type = text_at(*parsed, "type");
    const auto& data = object_at(*parsed, "data");
    if (const auto id = id_at(data, "prompt_id"); !id.empty() && id != prompt_id_) return;
    if (type == "execution_cached") {
        for (const auto& node : list_at(data, "nodes"))
            done_.insert(id_text(node));
        report();
    } else if (type == "executing") {
        now_runs(node_of(data));
    } else if (type == "executed") {
        done_.insert(node_of(data));
    } else if (type == "progress") {
        const auto max = count_at(data, "max");
        if (max > 1)
            report(fmt::format(", {} of {} steps", std::min(count_at(data, "value"), max), max));
    } else if (type == "execution_success" || type == "execution_error" ||
               type == "execution_interrupted") {
        const auto failed = type == "execution_success" ? "" : running_;
        now_runs({});
        done_.erase(failed);
    }
}

// What a node has made of itself while it runs (a loop's body) has an id of its own, and is shown
// as that node.
std::string Watch::node_of(const json& message) const {
    auto node = id_at(message, "node");
    if (prompt_.contains(node)) return node;
    auto shown = id_at(message, "display_node");
    return prompt_.contains(shown) ? shown : node;
}

// No node: it is over.
void Watch::now_runs(const std::string& node) {
    const auto now = Clock::now();
    if (!running_.empty()) {
        done_.insert(running_);
        times_[running_] += std::chrono::duration_cast<milliseconds>(now - running_since_);
    }
    running_ = node;
    running_since_ = now;
    if (node.empty()) has_ended_ = true;
    report();
}

std::optional<json> Watch::look() {
    try {
        auto entry = client_.history(prompt_id_);
        if (entry) return entry;
        look_for_it_in_the_queue();
        answered_ = Clock::now();
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted) throw stopped();
        if (is_forgotten_) throw;
        if (Clock::now() - answered_ < patience_) return std::nullopt;
        throw Error{ErrorKind::smoke,
                    fmt::format("ComfyUI no longer answers ({}): {}", state(), error.message()),
                    "its log says why: `podctl logs comfyui`"};
    }
    return std::nullopt;
}

// A ComfyUI that was started again has forgotten what it ran. It is asked twice, since the prompt
// may end between the two questions, and a proxy may have its moments.
void Watch::look_for_it_in_the_queue() {
    if (Clock::now() - asked_queue_ < queue_pause) return;
    asked_queue_ = Clock::now();
    const auto queued = client_.queued();
    const auto found = std::ranges::find(queued, prompt_id_);
    if (found != queued.end()) {
        absent_ = 0;
        const auto before = static_cast<std::size_t>(found - queued.begin());
        if (std::exchange(before_it_, before) == before) return;
        if (before > 0)
            notice(fmt::format("waits behind {} other{}", before, before == 1 ? "" : "s"));
        report();
        return;
    }
    if (client_.history(prompt_id_)) return;
    if (++absent_ < 2) return;
    is_forgotten_ = true;
    throw Error{ErrorKind::smoke, "ComfyUI no longer knows the workflow that it was to run",
                "it was started again, or somebody cleared its queue"};
}

std::string Watch::state() const {
    if (!running_.empty()) {
        const auto& node = object_at(prompt_, running_);
        return fmt::format("node {} ({}) was running", running_, text_at(node, "class_type"));
    }
    if (before_it_ && *before_it_ > 0)
        return fmt::format("it waited in the queue behind {} other{}", *before_it_,
                           *before_it_ == 1 ? "" : "s");
    return "the workflow had not ended";
}

void Watch::report(const std::string& steps) const {
    if (!monitor_.on_progress) return;
    const auto done = std::ranges::count_if(
        done_, [&](const std::string& node) { return prompt_.contains(node); });
    std::string detail;
    if (!running_.empty())
        detail = fmt::format("{} (node {}){}", text_at(object_at(prompt_, running_), "class_type"),
                             running_, steps);
    else if (before_it_ && *before_it_ > 0)
        detail = fmt::format("waits behind {}", *before_it_);
    monitor_.on_progress(static_cast<std::uint64_t>(done), prompt_.size(), detail);
}

void Watch::notice(const std::string& text) const {
    if (monitor_.on_notice) monitor_.on_notice(text);
}

}  // namespace podctl::comfy
