#include "support/comfyui.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/url.hpp"

#include <algorithm>
#include <utility>

namespace podctl::test {
namespace {

using json = nlohmann::json;

Response as_json(const json& body, int status = 200) {
    return {.status = status,
            .headers = {{"Content-Type", "application/json; charset=utf-8"}},
            .body = body.dump()};
}

json problem(const std::string& type, const std::string& message, const std::string& details,
             json extra = json::object()) {
    return {{"type", type}, {"message", message}, {"details", details}, {"extra_info", extra}};
}

bool is_link(const json& value) {
    return value.is_array() && value.size() == 2;
}

// What the part of a form holds that has `head` in its own.
std::string part_of(const std::string& body, const std::string& head, const std::string& boundary) {
    const auto begin = body.find("\r\n\r\n", body.find(head)) + 4;
    return body.substr(begin, body.find("\r\n--" + boundary, begin) - begin);
}

}  // namespace

ComfyUi::ComfyUi() {
    const Info size{"INT", {{"default", 512}, {"min", 1}}};
    add_class("EmptyImage",
              {{"required",
                {{"width", size},
                 {"height", size},
                 {"batch_size", {"INT", {{"default", 1}}}},
                 {"color", {"INT", {{"default", 0}}}}}}},
              {"IMAGE"});
    add_class("ImageInvert", {{"required", {{"image", {"IMAGE"}}}}}, {"IMAGE"});
    add_class("PreviewImage", {{"required", {{"images", {"IMAGE"}}}}}, {}, true);
    add_class(
        "SaveImage",
        {{"required",
          {{"images", {"IMAGE"}}, {"filename_prefix", {"STRING", {{"default", "ComfyUI"}}}}}}},
        {}, true);
    made["PreviewImage"] = {
        {"images", {{{"filename", "a.png"}, {"subfolder", ""}, {"type", "temp"}}}}};
    made["SaveImage"] = {
        {"images", {{{"filename", "b 1.png"}, {"subfolder", "sub"}, {"type", "output"}}}}};
    files["temp//a.png"] = png_bytes(64, 48);
    files["output/sub/b 1.png"] = png_bytes(32, 32);
    server_ =
        std::make_unique<HttpServer>([this](const Request& request) { return answer(request); });
}

ComfyUi::~ComfyUi() = default;

void ComfyUi::add_class(const std::string& name, Info inputs, std::vector<std::string> outputs,
                        bool is_output_node) {
    classes[name] = {{"input", std::move(inputs)},
                     {"output", outputs},
                     {"name", name},
                     {"python_module", "nodes"},
                     {"output_node", is_output_node}};
}

std::vector<Request> ComfyUi::requests(const std::string& path) const {
    auto all = server_->requests();
    std::erase_if(all, [&](const Request& it) { return it.path != path; });
    return all;
}

std::vector<json> ComfyUi::prompts() const {
    const std::scoped_lock lock(mutex_);
    return prompts_;
}

std::map<std::string, std::string> ComfyUi::uploads() const {
    const std::scoped_lock lock(mutex_);
    return uploads_;
}

std::vector<json> ComfyUi::interrupts() const {
    const std::scoped_lock lock(mutex_);
    return interrupts_;
}

std::vector<std::string> ComfyUi::running() const {
    const std::scoped_lock lock(mutex_);
    return running_;
}

Response ComfyUi::answer(const Request& request) {
    if (is_starting) return {.status = 503, .body = "provisioning"};
    if (is_dead) return {.status = 500, .body = "gone"};
    return route(request,
                 request.path.starts_with("/api/") ? request.path.substr(4) : request.path);
}

Response ComfyUi::route(const Request& request, const std::string& path) {
    if (path == "/ws") {
        if (socket == Socket::is_refused) return {.status = 400, .body = "no"};
        return to_websocket(request, [this, client = request.parameter("clientId")](
                                         WebSocketPeer& peer) { talk(peer, client); });
    }
    if (path == "/system_stats") return as_json({{"system", {{"comfyui_version", "0.3.64"}}}});
    if (path.starts_with("/object_info/")) {
        const auto found = classes.find(percent_decode(path.substr(13)));
        if (found == classes.end()) return as_json(json::object());
        return {.body = Info{{found->first, found->second}}.dump()};
    }
    if (path == "/models") {
        json folders = json::array();
        for (const auto& [folder, names] : models)
            folders.push_back(folder);
        return as_json(folders);
    }
    if (path.starts_with("/models/")) return as_json(models[path.substr(8)]);
    if (path == "/internal/logs/raw") {
        json entries = json::array();
        for (const auto& line : log)
            entries.push_back({{"t", "2026-01-01T00:00:00"}, {"m", line + "\n"}});
        return as_json({{"entries", entries}});
    }
    if (path == "/prompt" && request.method == "POST") {
        const auto body = json::parse(request.body, nullptr, false);
        if (body.is_discarded()) return {.status = 500, .body = "500 Internal Server Error"};
        return queue_prompt(body);
    }
    if (path == "/upload/image") return upload(request);
    if (path == "/free" && forgets == Forgets::never) return {.status = 404};
    if (path == "/free") {
        const std::scoped_lock lock(mutex_);
        if (forgets == Forgets::at_once)
            has_it_cached = false;
        else
            is_to_forget_ = true;
        return {};
    }
    if (path == "/view") return view(request);
    if (path.starts_with("/history/")) return history(path.substr(9));
    const std::scoped_lock lock(mutex_);
    if (path == "/queue" && request.method == "GET") return queue_shown();
    if (path == "/queue") return {};
    if (path == "/interrupt") {
        interrupts_.push_back(json::parse(request.body, nullptr, false));
        running_.clear();
        return {};
    }
    return {.status = 404, .body = "404: Not Found"};
}

// The first of the others runs. What waits is a heap (PromptQueue of execution.py), so that it is
// shown in another order than it comes.
Response ComfyUi::queue_shown() {
    if (!others.empty() && others_last-- <= 0) others.clear();
    json running = json::array(), pending = json::array();
    for (std::size_t i = 0; i < others.size(); ++i)
        (i == 0 ? running : pending).push_back({i, others[i], json::object()});
    for (const auto& id : running_)
        (others.empty() ? running : pending).push_back({others.size(), id, json::object()});
    std::ranges::reverse(pending);
    return as_json({{"queue_running", running}, {"queue_pending", pending}});
}

// image_upload() of server.py: another file of the name is kept.
Response ComfyUi::upload(const Request& request) {
    const auto type = request.header("content-type").value_or("");
    const auto boundary = type.substr(type.find("boundary=") + 9);
    const auto named = request.body.find("filename=\"") + 10;
    auto name = request.body.substr(named, request.body.find('"', named) - named);
    const auto bytes = part_of(request.body, "filename=\"", boundary);
    const std::scoped_lock lock(mutex_);
    const auto found = uploads_.find(name);
    if (found != uploads_.end() && found->second != bytes) {
        const auto dot = name.rfind('.');
        name = name.substr(0, dot) + " (1)" + name.substr(dot);
    }
    uploads_[name] = bytes;
    for (auto& [class_name, info] : classes)
        for (auto& [group, inputs] : info["input"].items())
            for (auto& [input, spec] : inputs.items())
                if (spec.size() > 1 && spec[1].contains("image_upload")) spec[0].push_back(name);
    return as_json({{"name", name}, {"subfolder", ""}, {"type", "input"}});
}

// As validate_inputs() of execution.py, one node.
json ComfyUi::errors_of(const json& node) const {
    json errors = json::array();
    const auto& groups = classes.at(node["class_type"].get<std::string>())["input"];
    for (const auto& [group, inputs] : groups.items()) {
        for (const auto& [name, spec] : inputs.items()) {
            if (!node["inputs"].contains(name)) {
                if (group == "required")
                    errors.push_back(problem("required_input_missing", "Required input is missing",
                                             name, {{"input_name", name}}));
                continue;
            }
            const json& value = node["inputs"][name];
            json choices = json(spec[0]);
            if (choices == "COMBO") choices = json(spec[1]["options"]);
            if (!choices.is_array() || is_link(value)) continue;
            if (std::ranges::find(choices, value) == choices.end())
                errors.push_back(problem("value_not_in_list", "Value not in list",
                                         name + ": '" + value.dump() + "' not in []",
                                         {{"input_name", name}, {"received_value", value}}));
        }
    }
    return errors;
}

bool ComfyUi::is_good(const json& prompt, const std::string& node, json& errors) const {
    bool good = true;
    auto own = errors_of(prompt[node]);
    for (const auto& value : prompt[node]["inputs"])
        if (is_link(value) && prompt.contains(value[0]))
            good = is_good(prompt, value[0], errors) && good;
    if (own.empty()) return good;
    errors[node] = {{"errors", own}, {"class_type", prompt[node]["class_type"]}};
    return false;
}

ComfyUi::Checked ComfyUi::check(const json& prompt) const {
    Checked checked;
    std::vector<std::string> outputs;
    for (const auto& [id, node] : prompt.items()) {
        const auto found = classes.find(node.value("class_type", ""));
        if (found == classes.end()) {
            checked.error = problem(
                "invalid_prompt",
                "Cannot execute because node " + node.value("class_type", "") + " does not exist.",
                "Node ID '#" + id + "'");
            return checked;
        }
        if (found->second["output_node"]) outputs.push_back(id);
    }
    if (outputs.empty()) checked.error = problem("prompt_no_outputs", "Prompt has no outputs", "");
    for (const auto& output : outputs)
        if (is_good(prompt, output, checked.node_errors)) checked.good_outputs.push_back(output);
    if (!outputs.empty() && checked.good_outputs.empty())
        checked.error =
            problem("prompt_outputs_failed_validation", "Prompt outputs failed validation", "");
    return checked;
}

Response ComfyUi::queue_prompt(const json& body) {
    {
        const std::scoped_lock lock(mutex_);
        prompts_.push_back(body);
    }
    const auto checked = check(body["prompt"]);
    if (!checked.error.is_null())
        return as_json({{"error", checked.error}, {"node_errors", checked.node_errors}}, 400);
    const auto id = body["prompt_id"].get<std::string>();
    run(id, body, checked.good_outputs);
    if (on_queued) on_queued();
    return as_json({{"prompt_id", id}, {"number", 0}, {"node_errors", checked.node_errors}});
}

void ComfyUi::run(const std::string& id, const json& body,
                  const std::vector<std::string>& outputs) {
    const auto& prompt = body["prompt"];
    const std::scoped_lock lock(mutex_);
    const auto say = [&](const std::string& type, const json& data) {
        said_.emplace_back(body["client_id"], json{{"type", type}, {"data", data}}.dump());
    };
    say("execution_start", {{"prompt_id", id}});
    json messages = json::array(), shown = json::object(), cached = json::array();
    json executed = json::array();
    for (const auto& [node, what] : prompt.items())
        if (has_it_cached) cached.push_back(node);
    messages.push_back({"execution_cached", {{"nodes", cached}, {"prompt_id", id}}});
    const bool is_cached = has_it_cached;
    if (std::exchange(is_to_forget_, false)) has_it_cached = false;
    std::string status = "success";
    for (const auto& [node, what] : prompt.items()) {
        const auto name = what["class_type"].get<std::string>();
        if (is_cached) {
            if (std::ranges::find(outputs, node) != outputs.end() && made.contains(name))
                shown[node] = made[name];
            continue;
        }
        say("executing", {{"node", node}, {"display_node", node}, {"prompt_id", id}});
        say("progress", {{"value", 2}, {"max", 4}, {"node", node}, {"prompt_id", id}});
        if (const auto failure = fails.find(name); failure != fails.end()) {
            messages.push_back({"execution_error",
                                {{"prompt_id", id},
                                 {"node_id", node},
                                 {"executed", executed},
                                 {"node_type", name},
                                 {"exception_message", failure->second},
                                 {"exception_type", "RuntimeError"},
                                 {"traceback", {"  File \"nodes.py\", line 1\n"}}}});
            status = "error";
            break;
        }
        executed.push_back(node);
        if (std::ranges::find(outputs, node) != outputs.end() && made.contains(name))
            shown[node] = made[name];
    }
    if (end == End::is_forgotten) return;
    if (end == End::never_comes) return running_.push_back(id);
    say(status == "success" ? "execution_success" : "execution_error", {{"prompt_id", id}});
    history_[id] = {
        {"outputs", shown},
        {"status",
         {{"status_str", status}, {"completed", status == "success"}, {"messages", messages}}}};
}

Response ComfyUi::history(const std::string& id) {
    const std::scoped_lock lock(mutex_);
    const auto found = history_.find(id);
    if (found == history_.end() || history_lag-- > 0) return as_json(json::object());
    return as_json({{id, found->second}});
}

Response ComfyUi::view(const Request& request) const {
    const auto key = request.parameter("type") + "/" + request.parameter("subfolder") + "/" +
                     request.parameter("filename");
    const auto found = files.find(key);
    if (found == files.end()) return {.status = 404};
    return serve_bytes(request, found->second);
}

// Each client is told of its own prompts.
void ComfyUi::talk(WebSocketPeer& peer, const std::string& client) {
    peer.send_text(R"({"type":"status","data":{"sid":"x"}})");
    std::size_t heard = 0;
    do {
        std::vector<std::string> messages;
        {
            const std::scoped_lock lock(mutex_);
            for (; heard < said_.size(); ++heard)
                if (said_[heard].first == client) messages.push_back(said_[heard].second);
        }
        for (const auto& message : messages) {
            peer.send(WebSocketPeer::binary, "a preview");
            if (!peer.send_text(message)) return;
            // After the first: the last one would say that it has ended.
            if (socket == Socket::is_cut_in_the_run) return;
        }
    } while (peer.pause(std::chrono::milliseconds{5}));
}

std::string mp4_bytes() {
    const auto box = [](const std::string& type, const std::string& content) {
        std::string head(4, '\0');
        head.back() = static_cast<char>(8 + content.size());
        return head + type + content;
    };
    return box("ftyp", "isom") + box("moov", "") + box("mdat", "frame");
}

std::string png_bytes(std::uint32_t width, std::uint32_t height) {
    std::string bytes("\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR", 16);
    for (const auto side : {width, height})
        for (int shift = 24; shift >= 0; shift -= 8)
            bytes += static_cast<char>(side >> shift & 0xFF);
    bytes += std::string("\x08\x02\0\0\0....", 9) + std::string("\0\0\0\4IDAT........", 16);
    return bytes + std::string("\0\0\0\0IEND\xAE\x42\x60\x82", 12);
}

}  // namespace podctl::test
