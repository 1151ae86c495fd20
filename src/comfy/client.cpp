#include "client.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/stop.hpp"
#include "podctl/base/url.hpp"
#include "podctl/comfy/comfy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace podctl::comfy {
namespace {

using std::chrono::milliseconds;

// Histories hold whole workflows, /object_info and /models all names of models.
constexpr JsonLimits answer_limits{.bytes = 64u << 20, .members = 100'000};
constexpr milliseconds cancel_timeout{3'000};
// Between two looks whether it has started.
constexpr milliseconds start_pause{500};
// Of what ComfyUI has at hand; a proxy in front of it may need a while.
constexpr milliseconds answer_timeout{15'000};
// All classes of a ComfyUI with many packs are made anew for each answer.
constexpr milliseconds classes_timeout{60'000};
constexpr milliseconds cancel_pause{200};
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
    : http_(http),
      url_(url),
      named_url_(std::move(url)),
      deadline_(deadline),
      stop_(std::move(stop)) {
    while (url_.ends_with('/'))
        url_.pop_back();
    shown_url_ = without_userinfo(url_);
}

milliseconds Client::left() const {
    return std::max(std::chrono::ceil<milliseconds>(deadline_ - Clock::now()), milliseconds{0});
}

http::Response Client::get(const std::string& path, milliseconds most) const {
    return http_.send(
        {.url = url(path), .timeout = std::min(left(), most), .max_body = answer_limits.bytes},
        stop_);
}

// A redirect would make a GET of it, or take what it brings to another place.
http::Response Client::post(const std::string& path, http::Request request) const {
    request.url = url(path);
    request.method = "POST";
    request.redirects = http::Request::Redirects::report;
    auto response = http_.send(request, stop_);
    if (response.status < 300 || response.status > 399) return response;
    throw Error{
        ErrorKind::smoke,
        fmt::format("POST {}{} answered {}, a redirect to {}", shown_url_, path, response.status,
                    without_userinfo(response.header("location").value_or("nowhere"))),
        "if that is ComfyUI, name it with --url"};
}

Error Client::refused(const std::string& path, const http::Response& answer) const {
    const bool wants_login = answer.status == 401 || answer.status == 403;
    return Error{
        wants_login ? ErrorKind::unauthorized : ErrorKind::smoke,
        fmt::format("{}{} answered {}: {}", shown_url_, path, answer.status, excerpt(answer.body)),
        wants_login ? "what is in front of it asks for a login: a user and a password in --url, "
                      "before an @ and the host, or --header 'Authorization=Bearer $TOKEN'"
                    : "ComfyUI's log says why: `podctl logs comfyui`"};
}

json Client::get_json(const std::string& path) const {
    const auto response = get(path, answer_timeout);
    if (response.status != 200) throw refused(path, response);
    auto body = parse_python_json(response.body, answer_limits);
    if (!body)
        throw Error{ErrorKind::smoke,
                    fmt::format("the answer of {}{} is {}: {}", shown_url_, path,
                                json_fault(response.body, answer_limits), excerpt(response.body)),
                    "another program, or a proxy's page, may answer there"};
    return *std::move(body);
}

void Client::expect_comfyui(Clock::time_point until, const OnNotice& on_notice) {
    until = std::min(until, deadline_);
    bool is_told = false;
    while (true) {
        const auto before = shown_url_;
        const auto left_to_wait = std::chrono::ceil<milliseconds>(until - Clock::now());
        try {
            ask_for_comfyui(std::clamp(left_to_wait, answer_timeout / 3, answer_timeout));
            if (before != shown_url_ && on_notice)
                on_notice(
                    fmt::format("{} leads to {}, which is asked from now on", before, shown_url_));
            return;
        } catch (const Error& error) {
            // No waiting mends a login that is not there.
            const bool may_pass = error.kind() == ErrorKind::smoke;
            if (!may_pass || Clock::now() + start_pause >= until) throw;
            if (!std::exchange(is_told, true) && on_notice)
                on_notice(fmt::format("waiting for ComfyUI: {}", error.message()));
        }
        if (!wait_for(start_pause, stop_))
            throw Error{ErrorKind::interrupted, "stopped while waiting for ComfyUI"};
    }
}

void Client::ask_for_comfyui(milliseconds timeout) {
    const std::string hint =
        "`podctl up` starts ComfyUI; --url names another place, and --wait 2m "
        "waits for one that starts";
    http::Response response;
    try {
        response = get("/system_stats", timeout);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::network) throw;
        throw Error{ErrorKind::smoke, fmt::format("ComfyUI cannot be reached: {}", error.message()),
                    error.hint().empty() ? hint : hint + "; " + error.hint()};
    }
    if (response.status != 200) {
        const auto error = refused("/system_stats", response);
        throw Error{error.kind(), fmt::format("ComfyUI is not ready: {}", error.message()),
                    error.kind() == ErrorKind::unauthorized ? error.hint() : hint};
    }
    const auto stats = parse_python_json(response.body, answer_limits);
    if (!stats)
        throw Error{
            ErrorKind::smoke,
            fmt::format("ComfyUI is not ready: the answer of {}/system_stats is {}: {}", shown_url_,
                        json_fault(response.body, answer_limits), excerpt(response.body)),
            hint};
    if (!member(*stats, "system"))
        throw Error{ErrorKind::smoke, fmt::format("{} is not ComfyUI", shown_url_), hint};
    go_where_it_leads(response);
}

void Client::go_where_it_leads(const http::Response& answer) {
    constexpr std::string_view asked = "/system_stats";
    const auto from = parse_url(url_), to = parse_url(answer.url);
    if (!from || !to || !to->path.ends_with(asked)) return;
    auto place = *to;
    place.path.resize(place.path.size() - asked.size());
    place.query.clear();
    // A login is for the place that it was given for.
    place.userinfo = place.origin() == from->origin() ? from->userinfo : "";
    auto text = place.to_string();
    while (text.ends_with('/'))
        text.pop_back();
    if (without_userinfo(text) == shown_url_) return;
    url_ = std::move(text);
    shown_url_ = without_userinfo(url_);
}

std::string Client::reason_to_keep_api_key() const {
    const auto named = parse_url(named_url_), place = parse_url(url_);
    if (!named || !place || !http::may_carry_token(*place, http_.options()))
        return fmt::format(
            "it is not sent to {}, which is plain http: --insecure-http sends it all "
            "the same",
            shown_url_);
    const bool is_the_named =
        place->origin() == named->origin() ||
        (place->host == named->host && place->scheme == "https" && named->scheme == "http");
    return is_the_named ? ""
                        : fmt::format(
                              "it is not sent to {}, to which --url only leads: name that "
                              "place with --url",
                              shown_url_);
}

std::string Client::object_info(const std::string& path) const {
    auto response = get(path, classes_timeout);
    if (response.status != 200) throw refused(path, response);
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

http::Response Client::queue(const QueuedWork& work) const {
    // Prompt and workflow may be large, and are JSON already.
    std::string extra;
    if (!work.workflow.empty())
        extra = fmt::format(R"("extra_pnginfo":{{"workflow":{}}})", work.workflow);
    if (work.api_key)
        extra += fmt::format(R"({}"api_key_comfy_org":{})", extra.empty() ? "" : ",",
                             json(work.api_key->reveal()).dump());
    return post("/prompt",
                {.headers = {{"Content-Type", "application/json"}},
                 .body = fmt::format(
                     R"({{"prompt":{},"prompt_id":{},"client_id":{},"extra_data":{{{}}}}})",
                     work.prompt, json(work.prompt_id).dump(), json(work.client_id).dump(), extra),
                 .timeout = left()});
}

bool Client::forget_results() const {
    const auto response = post("/free", {.headers = {{"Content-Type", "application/json"}},
                                         .body = R"({"unload_models":false,"free_memory":true})",
                                         .timeout = std::min(left(), answer_timeout)});
    if (response.status == 404 || response.status == 405) return false;
    if (response.status != 200) throw refused("/free", response);
    return true;
}

std::optional<json> Client::history(const std::string& prompt_id) const {
    const auto all = get_json("/history/" + percent_encode(prompt_id));
    const auto* entry = member(all, prompt_id);
    if (!entry || !entry->is_object()) return std::nullopt;
    return *entry;
}

// Each entry is [number, prompt_id, prompt, …]; what waits is a heap, which is not in order.
std::vector<std::string> Client::queued() const {
    const auto queue = get_json("/queue");
    std::vector<std::pair<double, std::string>> entries;
    std::vector<std::string> ids;
    for (const auto* part : {"queue_running", "queue_pending"}) {
        entries.clear();
        for (const auto& entry : list_at(queue, part))
            if (entry.is_array() && entry.size() > 1)
                entries.emplace_back(entry[0].is_number() ? entry[0].get<double>() : 0,
                                     id_text(entry[1]));
        std::ranges::stable_sort(entries, {}, &std::pair<double, std::string>::first);
        for (auto& [number, id] : entries)
            ids.push_back(std::move(id));
    }
    return ids;
}

// An older ComfyUI does not read the id of an interrupt, and would end whatever runs: so it is sent
// only while ours does.
bool Client::cancel(const std::string& prompt_id, Clock::time_point look_until) const noexcept {
    const auto send = [&](const std::string& path, const json& body) {
        http_.send({.url = url(path),
                    .method = "POST",
                    .headers = {{"Content-Type", "application/json"}},
                    .body = body.dump(),
                    .timeout = cancel_timeout,
                    .redirects = http::Request::Redirects::report});
    };
    try {
        while (true) {
            const auto queue = parse_python_json(
                http_.send({.url = url("/queue"), .timeout = cancel_timeout}).body);
            if (!queue) return false;
            const auto is_in = [&](const char* part) {
                return std::ranges::any_of(list_at(*queue, part), [&](const json& entry) {
                    return entry.is_array() && entry.size() > 1 && id_text(entry[1]) == prompt_id;
                });
            };
            const bool runs = is_in("queue_running");
            if (runs) send("/interrupt", {{"prompt_id", prompt_id}});
            send("/queue", {{"delete", json::array({prompt_id})}});
            if (runs || is_in("queue_pending") || Clock::now() >= look_until) return true;
            wait_for(cancel_pause, {});
        }
    } catch (const std::exception&) {
        // Who cannot be asked cannot be told.
        return false;
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
