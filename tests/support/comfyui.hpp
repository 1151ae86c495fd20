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
    Checked check(const json& prompt) const;
    json errors_of(const json& node) const;
    bool is_good(const json& prompt, const std::string& node, json& errors) const;
    void run(const std::string& id, const json& prompt, const std::vector<std::string>& outputs);
    Response history(const std::string& id);
    Response view(const Request& request) const;
    void talk(WebSocketPeer& peer);
    void say(const std::string& type, json data);

    mutable std::mutex mutex_;
    std::vector<json> prompts_, interrupts_;
    std::vector<std::string> running_;
    std::map<std::string, json> history_;
    std::vector<std::string> to_say_;
    std::unique_ptr<HttpServer> server_;  // last: its threads use the rest
};

// The smallest files that are whole.
std::string png_bytes(std::uint32_t width, std::uint32_t height);

}  // namespace podctl::test
