#pragma once

#include "podctl/comfy/workflow_run.hpp"
#include "podctl/http/websocket.hpp"

#include "client.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace podctl::comfy {

// Watches a prompt to its end. /history alone says how it ended; the WebSocket tells what is done
// until then, and when to look. A proxy that breaks WebSockets costs no more than the progress.
class Watch {
public:
    // Before the prompt is queued, so that no message is missed.
    Watch(const Client& client, const RunMonitor& monitor, std::chrono::milliseconds patience,
          const std::string& client_id);

    // The entry in /history. Throws Error{smoke} when the time is over, when ComfyUI no longer
    // knows the prompt, and when it does not answer any more; Error{interrupted}.
    json wait(const std::string& prompt_id, const json& prompt);

    // How long each node ran that was seen to run. Nodes that a node made while it ran count as
    // that node.
    const std::map<std::string, std::chrono::milliseconds>& times() const { return times_; }
    // False: it was not seen which nodes ran, at least not of all.
    bool has_seen_all() const { return socket_ != nullptr; }

private:
    using Clock = std::chrono::steady_clock;

    void wait_for_news();
    void listen(Clock::time_point until);
    void read(const std::string& message);
    std::string node_of(const json& message) const;
    void now_runs(const std::string& node);
    std::optional<json> look();
    void look_for_it_in_the_queue();
    std::string state() const;
    void report(const std::string& steps = {}) const;
    void notice(const std::string& text) const;

    const Client& client_;
    const RunMonitor& monitor_;
    const std::chrono::milliseconds patience_;
    std::unique_ptr<http::WebSocket> socket_;  // nullptr: it cannot be had
    std::string prompt_id_;
    json prompt_;
    std::set<std::string> done_;
    std::string running_;  // a node's id
    Clock::time_point running_since_ = {};
    std::map<std::string, std::chrono::milliseconds> times_;
    bool has_ended_ = false;
    std::chrono::milliseconds pause_{0};
    Clock::time_point answered_ = Clock::now(), asked_queue_ = Clock::now();
    std::optional<std::size_t> before_it_;  // prompts in the queue
    int absent_ = 0;                        // how often in a row the queue did not have it
    bool is_forgotten_ = false;
};

}  // namespace podctl::comfy
