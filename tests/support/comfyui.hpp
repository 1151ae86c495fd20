#pragma once

#include "support/http_server.hpp"
#include "support/websocket.hpp"

#include <nlohmann/json.hpp>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace podctl::test {

// What ComfyUI's HTTP API does with a prompt (server.py and execution.py of v0.3.64), in small: it
// checks the graph, says what it does over the WebSocket, and keeps a history. Nothing is computed:
// every output node gives the files that `made` has for its class. Set the members before it is
// asked.
class ComfyUi {
public:
    using json = nlohmann::json;
    // Keeps the inputs in order, as ComfyUI does.
    using Info = nlohmann::ordered_json;

    ComfyUi();
    ~ComfyUi();

    std::string url() const { return server_->url(); }
    std::vector<Request> requests(const std::string& path) const;
    // The bodies of POST /prompt.
    std::vector<json> prompts() const;
    std::vector<json> interrupts() const;
    // Of prompts that are in the queue.
    std::vector<std::string> running() const;

    // Adds a class: {"required": {...}, "optional": {...}}.
    void add_class(const std::string& name, Info inputs, std::vector<std::string> outputs,
                   bool is_output_node = false);

    std::map<std::string, Info> classes;
    std::map<std::string, json> made;                        // by class, the "ui" of a node
    std::map<std::string, std::string> files;                // by "type/subfolder/filename"
    std::map<std::string, std::vector<std::string>> models;  // by folder
    std::vector<std::string> log;
    // The message of an exception in the node of this class.
    std::map<std::string, std::string> fails;

    enum class Socket { works, is_refused, is_cut_in_the_run } socket = Socket::works;
    enum class End { comes, never_comes, is_forgotten } end = End::comes;
    bool has_it_cached = false;
    // When POST /free makes it forget that (main.py, prompt_worker); never: it does not know it.
    enum class Forgets { at_once, after_the_next_prompt, never } forgets = Forgets::at_once;
    // Other people's prompts, which run and wait before ours. They are over after the queue was
    // asked for so often.
    std::vector<std::string> others;
    std::atomic<int> others_last = 0;
    // What came by POST /upload/image, by name.
    std::map<std::string, std::string> uploads() const;
    // So many times the history does not yet have what has ended.
    int history_lag = 1;
    bool is_starting = false;           // 503
    std::atomic<bool> is_dead = false;  // 500 for everything
    // Called when a prompt was queued, by the server's thread.
    std::function<void()> on_queued;

private:
    struct Checked {
        json node_errors = json::object();
        std::vector<std::string> good_outputs;
        json error;  // null: none
    };
    Response answer(const Request& request);
    Response route(const Request& request, const std::string& path);
    Response queue_prompt(const json& body);
    Response upload(const Request& request);
    Response queue_shown();
    Checked check(const json& prompt) const;
    json errors_of(const json& node) const;
    bool is_good(const json& prompt, const std::string& node, json& errors) const;
    void run(const std::string& id, const json& body, const std::vector<std::string>& outputs);
    Response history(const std::string& id);
    Response view(const Request& request) const;
    void talk(WebSocketPeer& peer, const std::string& client);

    mutable std::mutex mutex_;
    std::vector<json> prompts_, interrupts_;
    std::map<std::string, std::string> uploads_;
    bool is_to_forget_ = false;
    std::vector<std::string> running_;
    std::map<std::string, json> history_;
    std::vector<std::pair<std::string, std::string>> said_;  // to which client what
    std::unique_ptr<HttpServer> server_;                     // last: its threads use the rest
};

// The smallest files that are whole.
std::string mp4_bytes();
std::string png_bytes(std::uint32_t width, std::uint32_t height);

}  // namespace podctl::test
