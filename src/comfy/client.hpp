#pragma once

#include "podctl/http/http.hpp"
#include "podctl/workflow/workflow.hpp"

#include "json_fields.hpp"
#include "media.hpp"
#include "node_class.hpp"

#include <chrono>
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

    // GET /system_stats answers only once ComfyUI is ready.
    void expect_comfyui() const;
    // nullopt: it does not have the class. Adds it to `classes`, too.
    std::optional<NodeClass> node_class(const std::string& name, workflow::Classes& classes) const;
    // All that it has, as GET /object_info tells it.
    workflow::Classes all_classes() const;
    // POST /prompt: the answer, whatever it says.
    http::Response queue(const json& prompt, const std::string& prompt_id,
                         const std::string& client_id) const;
    // nullopt: not done, or not known.
    std::optional<json> history(const std::string& prompt_id) const;
    // Prompts that run or wait, those that run first.
    std::vector<std::string> queued() const;
    // Takes a prompt back, wherever it is. Never throws: it is for the way out.
    void cancel(const std::string& prompt_id) const noexcept;
    FileSample view(const std::string& url) const;
    std::string view_url(const std::string& filename, const std::string& subfolder,
                         const std::string& type) const;
    // Files of each folder under models/, asked for once.
    const std::map<std::string, std::vector<std::string>>& models() const;
    // Custom nodes that could not be imported, with the reason, by the last lines of its log.
    std::map<std::string, std::string> failed_imports() const;

    std::string url(const std::string& path) const { return url_ + path; }
    const std::string& shown_url() const { return shown_url_; }
    http::Client& http() const { return http_; }
    const std::stop_token& stop() const { return stop_; }
    // Zero: it is over.
    std::chrono::milliseconds left() const;

private:
    std::string object_info(const std::string& path) const;
    http::Response get(const std::string& path) const;
    json get_json(const std::string& path) const;

    http::Client& http_;
    std::string url_, shown_url_;
    Clock::time_point deadline_;
    std::stop_token stop_;
    mutable std::optional<std::map<std::string, std::vector<std::string>>> models_;
};

}  // namespace podctl::comfy
