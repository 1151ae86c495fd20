#include "client.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/url.hpp"
#include "podctl/comfy/comfy.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace podctl::comfy {
namespace {

using std::chrono::milliseconds;

// Histories hold whole workflows, /object_info and /models all names of models.
constexpr JsonLimits answer_limits{.bytes = 64u << 20, .members = 100'000};
constexpr milliseconds cancel_timeout{3'000};
// Answers that a proxy gives in the place of ComfyUI may be pages.
constexpr std::size_t excerpt_size = 160;

std::string without_userinfo(const std::string& url) {
    auto parsed = parse_url(url);
    if (!parsed) return url;
    parsed->userinfo.clear();
    return parsed->to_string();
}

std::string excerpt(const std::string& body) {
    const auto line = trim(std::string_view(body).substr(0, body.find('\n')));
    return std::string(line.substr(0, excerpt_size));
}

}  // namespace

Client::Client(http::Client& http, std::string url, Clock::time_point deadline,
               std::stop_token stop)
    : http_(http), url_(std::move(url)), deadline_(deadline), stop_(std::move(stop)) {
    while (url_.ends_with('/'))
        url_.pop_back();
    shown_url_ = without_userinfo(url_);
}

milliseconds Client::left() const {
    return std::max(std::chrono::ceil<milliseconds>(deadline_ - Clock::now()), milliseconds{0});
}

http::Response Client::get(const std::string& path) const {
    return http_.send({.url = url(path), .timeout = left(), .max_body = answer_limits.bytes},
                      stop_);
}

json Client::get_json(const std::string& path) const {
    const auto response = get(path);
    if (response.status != 200)
        throw Error{ErrorKind::smoke, fmt::format("{}{} answered {}: {}", shown_url_, path,
                                                  response.status, excerpt(response.body))};
    auto body = parse_json(response.body, answer_limits);
    if (!body)
        throw Error{ErrorKind::smoke,
                    fmt::format("the answer of {}{} is {}: {}", shown_url_, path,
                                json_fault(response.body, answer_limits), excerpt(response.body)),
                    "another program, or a proxy's page, may answer there"};
    return *std::move(body);
}

void Client::expect_comfyui() const {
    const std::string hint = "`podctl up` starts ComfyUI; --url names another place";
    json stats;
    try {
        stats = get_json("/system_stats");
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::network)
            throw Error{ErrorKind::smoke,
                        fmt::format("ComfyUI cannot be reached: {}", error.message()),
                        error.hint().empty() ? hint : hint + "; " + error.hint()};
        if (error.kind() == ErrorKind::smoke)
            throw Error{ErrorKind::smoke, fmt::format("ComfyUI is not ready: {}", error.message()),
                        hint};
        throw;
    }
    if (!member(stats, "system"))
        throw Error{ErrorKind::smoke, fmt::format("{} is not ComfyUI", shown_url_), hint};
}

std::string Client::object_info(const std::string& path) const {
    auto response = get(path);
    if (response.status != 200)
        throw Error{ErrorKind::smoke,
                    fmt::format("{}{} answered {}: {}", shown_url_, path, response.status,
                                excerpt(response.body)),
                    "ComfyUI's log says why: `podctl logs comfyui`"};
    return std::move(response.body);
}

workflow::Classes Client::all_classes() const {
    workflow::Classes classes;
    classes.add(object_info("/object_info"));
    return classes;
}

std::optional<NodeClass> Client::node_class(const std::string& name,
                                            workflow::Classes& classes) const {
    const auto path = "/object_info/" + percent_encode(name);
    const auto answer = object_info(path);
    try {
        auto read = read_node_class(name, answer);
        if (read) classes.add(answer);
        return read;
    } catch (const json::exception& error) {
        throw Error{ErrorKind::smoke,
                    fmt::format("{}{} answered something else than a node class: {}", shown_url_,
                                path, error.what())};
    }
}

http::Response Client::queue(const json& prompt, const std::string& prompt_id,
                             const std::string& client_id) const {
    const json body{{"prompt", prompt}, {"prompt_id", prompt_id}, {"client_id", client_id}};
    return http_.send({.url = url("/prompt"),
                       .method = "POST",
                       .headers = {{"Content-Type", "application/json"}},
                       .body = body.dump(-1, ' ', false, json::error_handler_t::replace),
                       .timeout = left()},
                      stop_);
}

std::optional<json> Client::history(const std::string& prompt_id) const {
    const auto all = get_json("/history/" + percent_encode(prompt_id));
    const auto* entry = member(all, prompt_id);
    if (!entry || !entry->is_object()) return std::nullopt;
    return *entry;
}

// Each entry is [number, prompt_id, prompt, …].
std::vector<std::string> Client::queued() const {
    const auto queue = get_json("/queue");
    std::vector<std::string> ids;
    for (const auto* part : {"queue_running", "queue_pending"})
        for (const auto& entry : list_at(queue, part))
            if (entry.is_array() && entry.size() > 1) ids.push_back(id_text(entry[1]));
    return ids;
}

// An older ComfyUI does not read the id of an interrupt, and would end whatever runs: so it is sent
// only while ours does.
void Client::cancel(const std::string& prompt_id) const noexcept {
    const auto post = [&](const std::string& path, const json& body) {
        http_.send({.url = url(path),
                    .method = "POST",
                    .headers = {{"Content-Type", "application/json"}},
                    .body = body.dump(),
                    .timeout = cancel_timeout});
    };
    try {
        post("/queue", {{"delete", json::array({prompt_id})}});
        const auto queue =
            parse_json(http_.send({.url = url("/queue"), .timeout = cancel_timeout}).body);
        if (!queue) return;
        for (const auto& entry : list_at(*queue, "queue_running"))
            if (entry.is_array() && entry.size() > 1 && id_text(entry[1]) == prompt_id)
                post("/interrupt", {{"prompt_id", prompt_id}});
    } catch (const std::exception&) {
        // Who cannot be asked cannot be told.
    }
}

std::string Client::view_url(const std::string& filename, const std::string& subfolder,
                             const std::string& type) const {
    return url(fmt::format("/view?filename={}&subfolder={}&type={}", percent_encode(filename),
                           percent_encode(subfolder), percent_encode(type)));
}

FileSample Client::view(const std::string& url) const {
    FileSample sample;
    const auto response = http_.stream(
        {.url = url, .timeout = left()},
        {.on_headers = [](const http::Response& head) { return head.status == 200; },
         .on_body =
             [&](const char* data, std::size_t size) {
                 if (Clock::now() >= deadline_)
                     throw Error{ErrorKind::smoke, "the time was over before it had come"};
                 sample.add({data, size});
             }},
        stop_);
    if (response.status != 200)
        throw Error{ErrorKind::smoke, fmt::format("/view answered {}", response.status)};
    return sample;
}

const std::map<std::string, std::vector<std::string>>& Client::models() const {
    if (models_) return *models_;
    std::map<std::string, std::vector<std::string>> found;
    for (const auto& folder : get_json("/models")) {
        if (!folder.is_string()) continue;
        auto& files = found[folder.get<std::string>()];
        for (const auto& file : get_json("/models/" + percent_encode(folder.get<std::string>())))
            if (file.is_string()) files.push_back(file);
    }
    return models_.emplace(std::move(found));
}

std::map<std::string, std::string> Client::failed_imports() const {
    std::map<std::string, std::string> failed;
    ImportReport report;
    const auto log = get_json("/internal/logs/raw");
    for (const auto& entry : list_at(log, "entries"))
        for (const auto& line : split(text_at(entry, "m"), '\n'))
            if (auto node = report.read(line); node && !node->loads)
                failed[node->node] = node->reason;
    return failed;
}

}  // namespace podctl::comfy
