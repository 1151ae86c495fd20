#pragma once

#include "podctl/base/error.hpp"
#include "podctl/base/secret.hpp"
#include "podctl/http/http.hpp"
#include "podctl/workflow/workflow.hpp"

#include "media.hpp"
#include "node_class.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace podctl::comfy {

// ComfyUI's HTTP API (its server.py). Throws Error{smoke} where the answer is not ComfyUI's,
// Error{network} where none comes, both with the time until `deadline` as the limit, and
// Error{interrupted}.
class Client {
public:
    using Clock = std::chrono::steady_clock;

    Client(http::Client& http, std::string url, Clock::time_point deadline, std::stop_token stop);

    // GET /system_stats answers only once ComfyUI is ready, for which it has until then. Where that
    // leads to another place, as from http to https, everything else is asked there: a redirect
    // makes a GET of a POST, and a WebSocket follows none. `on_notice` is told of both.
    using OnNotice = std::function<void(const std::string&)>;
    void expect_comfyui(Clock::time_point until = {}, const OnNotice& on_notice = {});
    // nullopt: it does not have the class. Adds it to `classes`, too.
    std::optional<NodeClass> node_class(const std::string& name, workflow::Classes& classes) const;
    // All that it has, as GET /object_info tells it.
    workflow::Classes all_classes() const;
    // POST /prompt: the answer, whatever it says.
    struct QueuedWork {
        std::string prompt;         // JSON
        std::string workflow = {};  // the same as the page saved it, JSON; empty: there is none
        std::string prompt_id, client_id;
        const Secret* api_key = nullptr;
    };
    http::Response queue(const QueuedWork& work) const;
    // POST /free: results of earlier prompts are forgotten, models stay loaded. False: this ComfyUI
    // cannot. It does so between two prompts, or after the next one (main.py, prompt_worker).
    bool forget_results() const;
    // POST /upload/image, which takes any file for input/. A file of that name that is there stays:
    // returns the name that inputs call it by. Throws Error{io} for a file that cannot be read.
    std::string upload(const std::filesystem::path& file) const;
    // nullopt: not done, or not known.
    std::optional<json> history(const std::string& prompt_id) const;
    // Prompts that run or wait, in the order in which they come.
    std::vector<std::string> queued() const;
    // Takes a prompt back, wherever it is; one whose request may still be on its way is looked for
    // until then. False: nobody can be asked. Never throws: it is for the way out.
    bool cancel(const std::string& prompt_id, Clock::time_point look_until = {}) const noexcept;
    FileSample view(const std::string& url) const;
    // Why the API key does not go there; empty: it does. It is for the place that was named, and
    // for the same host over https.
    std::string reason_to_keep_api_key() const;
    std::string view_url(const std::string& filename, const std::string& subfolder,
                         const std::string& type) const;
    // Files of each folder under models/, asked for once.
    const std::map<std::string, std::vector<std::string>>& models() const;
    // Custom nodes that could not be imported, with the reason, by the last lines of its log.
    std::map<std::string, std::string> failed_imports() const;

    std::string url(const std::string& path) const { return url_ + path; }
    // Without a user's name and password.
    const std::string& shown_url() const { return shown_url_; }
    http::Client& http() const { return http_; }
    const std::stop_token& stop() const { return stop_; }
    // Zero: it is over.
    std::chrono::milliseconds left() const;
    void set_deadline(Clock::time_point deadline) { deadline_ = deadline; }

private:
    void ask_for_comfyui(std::chrono::milliseconds timeout);
    http::Response post(const std::string& path, http::Request request) const;
    void go_where_it_leads(const http::Response& answer);
    Error refused(const std::string& path, const http::Response& answer) const;
    std::string object_info(const std::string& path) const;
    http::Response get(const std::string& path, std::chrono::milliseconds most) const;
    json get_json(const std::string& path) const;

    http::Client& http_;
    std::string url_, shown_url_;
    const std::string named_url_;  // before a redirect
    Clock::time_point deadline_;
    std::stop_token stop_;
    mutable std::optional<std::map<std::string, std::vector<std::string>>> models_;
};

}  // namespace podctl::comfy
