#include "client.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/stop.hpp"
#include "podctl/base/url.hpp"
#include "podctl/comfy/comfy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

namespace podctl::comfy {
namespace {

using std::chrono::milliseconds;

// Histories hold whole workflows, /object_info and /models all names of models.
constexpr JsonLimits answer_limits{.bytes = 64u << 20, .members = 100'000};
constexpr milliseconds cancel_timeout{3'000};
// Between two looks whether it has started.
constexpr milliseconds start_pause{500};
// A file goes through memory; ComfyUI itself takes 100 MB unless told otherwise.
constexpr std::uint64_t most_to_upload = 1u << 30;
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

// RFC 2046 §5.1.1: what stands nowhere in the parts.
std::string random_boundary() {
    std::random_device random;
    return fmt::format("podctl-{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

// As the forms of browsers have it (WHATWG HTML, multipart/form-data).
std::string quoted(const std::string& name) {
    std::string text;
    for (const char c : name)
        text += c == '"' ? "%22" : std::string(1, c);
    return text;
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

Error Client::refused(const std::string& path, const http::Response& answer) const {
    const bool wants_login = answer.status == 401 || answer.status == 403;
    return Error{
        ErrorKind::smoke,
        fmt::format("{}{} answered {}: {}", shown_url_, path, answer.status, excerpt(answer.body)),
        wants_login ? "what is in front of it asks for a login: --url "
                      "https://USER:PASSWORD@HOST, or --header 'Authorization=Bearer $TOKEN'"
                    : "ComfyUI's log says why: `podctl logs comfyui`"};
}

json Client::get_json(const std::string& path) const {
    const auto response = get(path);
    if (response.status != 200) throw refused(path, response);
    auto body = parse_json(response.body, answer_limits);
    if (!body)
        throw Error{ErrorKind::smoke,
                    fmt::format("the answer of {}{} is {}: {}", shown_url_, path,
                                json_fault(response.body, answer_limits), excerpt(response.body)),
                    "another program, or a proxy's page, may answer there"};
    return *std::move(body);
}

void Client::expect_comfyui(milliseconds wait, const OnNotice& on_notice) {
    const auto until = std::min(Clock::now() + wait, deadline_);
    bool is_told = false;
    while (true) {
        const auto before = shown_url_;
        try {
            ask_for_comfyui();
            if (before != shown_url_ && on_notice)
                on_notice(
                    fmt::format("{} leads to {}, which is asked from now on", before, shown_url_));
            return;
        } catch (const Error& error) {
            if (error.kind() == ErrorKind::interrupted || Clock::now() + start_pause >= until)
                throw;
            if (!std::exchange(is_told, true) && on_notice)
                on_notice(fmt::format("waiting for ComfyUI: {}", error.message()));
        }
        if (!wait_for(start_pause, stop_))
            throw Error{ErrorKind::interrupted, "stopped while waiting for ComfyUI"};
    }
}

void Client::ask_for_comfyui() {
    const std::string hint =
        "`podctl up` starts ComfyUI; --url names another place, and --wait 2m "
        "waits for one that starts";
    http::Response response;
    try {
        response = get("/system_stats");
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::network) throw;
        throw Error{ErrorKind::smoke, fmt::format("ComfyUI cannot be reached: {}", error.message()),
                    error.hint().empty() ? hint : hint + "; " + error.hint()};
    }
    const bool wants_login = response.status == 401 || response.status == 403;
    if (response.status != 200) {
        const auto error = refused("/system_stats", response);
        throw Error{ErrorKind::smoke, fmt::format("ComfyUI is not ready: {}", error.message()),
                    wants_login ? error.hint() : hint};
    }
    const auto stats = parse_json(response.body, answer_limits);
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

bool Client::may_send_api_key() const {
    const auto place = parse_url(url_);
    return place && http::may_carry_token(*place, http_.options());
}

std::string Client::object_info(const std::string& path) const {
    auto response = get(path);
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
    return http_.send(
        {.url = url("/prompt"),
         .method = "POST",
         .headers = {{"Content-Type", "application/json"}},
         .body = fmt::format(R"({{"prompt":{},"prompt_id":{},"client_id":{},"extra_data":{{{}}}}})",
                             work.prompt, json(work.prompt_id).dump(), json(work.client_id).dump(),
                             extra),
         .timeout = left()},
        stop_);
}

bool Client::forget_results() const {
    const auto response = http_.send({.url = url("/free"),
                                      .method = "POST",
                                      .headers = {{"Content-Type", "application/json"}},
                                      .body = R"({"unload_models":false,"free_memory":true})",
                                      .timeout = left()},
                                     stop_);
    if (response.status == 404 || response.status == 405) return false;
    if (response.status != 200) throw refused("/free", response);
    return true;
}

std::string Client::upload(const std::filesystem::path& file) const {
    const auto stamp = file_stamp(file);
    if (stamp && stamp->size > most_to_upload)
        throw Error{ErrorKind::usage, fmt::format("{}: too large to be sent", file.string()),
                    "copy it into ComfyUI's folder input/"};
    const auto name = file.filename().string();
    if (name != safe_file_name(name))
        throw Error{ErrorKind::usage, fmt::format("{}: no name for a file of ComfyUI's", name),
                    "give it a name of letters, digits, dots and dashes"};
    const auto bytes = read_file(file);
    const auto boundary = random_boundary();
    const auto part = [&](const std::string& head, std::string_view body) {
        return fmt::format("--{}\r\nContent-Disposition: form-data; {}\r\n\r\n{}\r\n", boundary,
                           head, body);
    };
    const auto response = http_.send(
        {.url = url("/upload/image"),
         .method = "POST",
         .headers = {{"Content-Type", "multipart/form-data; boundary=" + boundary}},
         .body = part("name=\"type\"", "input") +
                 part(fmt::format("name=\"image\"; filename=\"{}\"", quoted(name)), bytes) + "--" +
                 boundary + "--\r\n",
         .timeout = left()},
        stop_);
    if (response.status == 413)
        throw Error{ErrorKind::smoke,
                    fmt::format("{} takes no file as large as {}", shown_url_, name),
                    "ComfyUI's --max-upload-size says how large (in MB), or copy it into input/"};
    if (response.status != 200) throw refused("/upload/image", response);
    const auto answer = parse_json(response.body).value_or(json());
    const auto called = text_at(answer, "name"), subfolder = text_at(answer, "subfolder");
    if (called.empty())
        throw Error{ErrorKind::smoke,
                    fmt::format("{}/upload/image did not say what it calls {}", shown_url_, name)};
    return subfolder.empty() ? called : subfolder + "/" + called;
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
