#include "podctl/hub/hub_errors.hpp"

#include "podctl/base/json.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/url.hpp"
#include "podctl/base/utf8.hpp"
#include "podctl/http/http_message.hpp"
#include "podctl/http/url_rules.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <optional>

namespace podctl::hub {
namespace {

// {"error":"Early Access","deadline":"…"}, {"error":"Unauthorized","message":"The creator …"}, or
// {"error":{"message":…}}.
struct Complaint {
    std::string text;  // the more telling of error and message; empty: none
    std::string deadline;
};

std::string text_at(const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::string one_line(std::string text) {
    constexpr std::size_t enough = 200;
    text.resize(utf8::cut(text, enough).size());
    std::erase_if(text, [](char c) { return (c >= 0 && c < ' ') || c == 127; });
    return text;
}

// A sentence or two; what is larger says nothing that a person would read.
constexpr JsonLimits complaint_limits{.bytes = 256u << 10, .values = 10'000};

Complaint complaint_of(const http::Response& response) {
    const auto answer = parse_json(response.body, complaint_limits);
    if (!answer || !answer->is_object()) return {};
    const auto& json = *answer;
    const auto nested = json.find("error");
    const bool is_nested = nested != json.end() && nested->is_object();
    const std::string error = is_nested ? text_at(*nested, "message") : text_at(json, "error");
    const std::string message = text_at(json, "message");
    std::string text = error;
    // "Unauthorized" tells less than the sentence beside it.
    if (!message.empty() && to_lower(error) != "early access") text = message;
    return {.text = one_line(text), .deadline = one_line(text_at(json, "deadline"))};
}

bool says(const std::string& text, std::string_view words) {
    return to_lower(text).find(words) != std::string::npos;
}

std::string said(const http::Response& response, const std::string& complaint) {
    return complaint.empty() ? fmt::format("HTTP {}", response.status)
                             : fmt::format("HTTP {}, \"{}\"", response.status, complaint);
}

// A hub's API answers in JSON; a page comes from the firewall or the login in front of it.
bool is_page(const http::Response& response) {
    const auto start = to_lower(trim(std::string_view(response.body).substr(0, 256)));
    return http::media_type(response) == "text/html" || start.starts_with("<!doctype html") ||
           start.starts_with("<html");
}

std::string asked_wait(const http::Response& response) {
    const auto wait = http::retry_after(response, std::chrono::system_clock::now());
    if (!wait) return {};
    return fmt::format("; it asks for a wait of {} s",
                       std::chrono::ceil<std::chrono::seconds>(*wait).count());
}

// What means the same on every server. nullopt: it depends on who answers.
std::optional<Error> common_refusal(const http::Response& response, const std::string& what,
                                    const std::string& who, const std::string& reply) {
    const int status = response.status;
    if (status == 429)
        return Error{ErrorKind::network,
                     fmt::format("{}: {} wants fewer requests ({}{})", what, who, reply,
                                 asked_wait(response)),
                     "run again later; what has come so far is kept"};
    if (status == 451)
        return Error{
            ErrorKind::not_found,
            fmt::format("{}: {} may not give it, for legal reasons ({})", what, who, reply),
            "it is closed to this machine's country: use a machine elsewhere or another "
            "source"};
    if (status >= 500)
        return Error{ErrorKind::network, fmt::format("{}: {} has a fault ({})", what, who, reply),
                     "run again later; what has come so far is kept"};
    return std::nullopt;
}

// A firewall's page. No token helps.
Error blocked(const std::string& what, const std::string& who, const std::string& reply) {
    return {ErrorKind::network,
            fmt::format("{}: a web page came in place of {}'s answer ({})", what, who, reply),
            "a firewall in front of it, or a proxy on the way, refuses this machine: run again "
            "later, use a machine with another address, or a mirror (--mirror)"};
}

Error civitai_forbidden(const Complaint& complaint, const std::string& what,
                        const std::string& reply) {
    if (says(complaint.text, "early access"))
        return {ErrorKind::unauthorized,
                fmt::format("{}: in Early Access{}", what,
                            complaint.deadline.empty() ? "" : " until " + complaint.deadline),
                "buy access on the model's page with the account of CIVITAI_API_KEY, wait, or name "
                "an earlier version: civitai:MODEL@VERSION"};
    return {ErrorKind::unauthorized, fmt::format("{}: Civitai gives no access ({})", what, reply),
            "check that the account of CIVITAI_API_KEY may see the model's page"};
}

Error civitai_refusal(const http::Response& response, const std::string& what) {
    const auto complaint = complaint_of(response);
    const std::string reply = said(response, complaint.text);
    if (auto error = common_refusal(response, what, "Civitai", reply)) return *error;
    switch (response.status) {
        case 400:
            return {ErrorKind::not_found,
                    fmt::format("{}: Civitai does not understand the request ({})", what, reply),
                    "check type, format, size, fp and fileId in the URL; the model's page shows "
                    "what there is"};
        case 401:
            if (says(complaint.text, "disabled"))
                return {ErrorKind::unauthorized,
                        fmt::format("{}: its creator has disabled downloads ({})", what, reply),
                        "no key helps; use another version or another source"};
            return {ErrorKind::unauthorized,
                    fmt::format("{}: Civitai wants an API key ({})", what, reply),
                    "set CIVITAI_API_KEY to a key from your Civitai account settings; when it is "
                    "set, it is wrong, or the creator has disabled downloads"};
        case 403:
            return is_page(response) ? blocked(what, "Civitai", reply)
                                     : civitai_forbidden(complaint, what, reply);
        case 404:
            return {
                ErrorKind::not_found, fmt::format("{}: not on Civitai ({})", what, reply),
                "check the ids: a bare number is a model id, a version is civitai:MODEL@VERSION"};
        case 410:
            return {ErrorKind::not_found, fmt::format("{}: archived on Civitai ({})", what, reply),
                    "its creator withdrew it; name another version or another source"};
        default:
            return {ErrorKind::network, fmt::format("{}: Civitai answers {}", what, reply),
                    "podctl does not know this answer; try the model's page in a browser"};
    }
}

// By X-Error-Code, as huggingface_hub's hf_raise_for_status reads it. nullopt: none that is known.
std::optional<Error> coded_refusal(const http::Response& response, const std::string& what,
                                   const std::string& reply) {
    const std::string code = response.header("x-error-code").value_or("");
    if (code == "GatedRepo" && response.status == 401)
        return Error{ErrorKind::unauthorized,
                     fmt::format("{}: a gated repository ({})", what, reply),
                     "accept its terms on its Hugging Face page and set HF_TOKEN to a token of "
                     "that account"};
    if (code == "GatedRepo")
        return Error{
            ErrorKind::unauthorized,
            fmt::format("{}: the account of HF_TOKEN has no access to this gated repository ({})",
                        what, reply),
            "accept its terms on its Hugging Face page and wait until access is granted"};
    if (code == "RepoNotFound")
        return Error{ErrorKind::not_found, fmt::format("{}: no such repository ({})", what, reply),
                     "check its name; a private one needs HF_TOKEN with access to it"};
    if (code == "RevisionNotFound")
        return Error{ErrorKind::not_found, fmt::format("{}: no such revision ({})", what, reply),
                     "check the branch, tag or commit after @"};
    if (code == "EntryNotFound")
        return Error{ErrorKind::not_found,
                     fmt::format("{}: no such file in the repository ({})", what, reply),
                     "check the path; names are case-sensitive"};
    return std::nullopt;
}

Error hugging_face_unauthorized(const std::string& message, const std::string& what,
                                const std::string& reply) {
    if (says(message, "invalid"))
        return {ErrorKind::unauthorized,
                fmt::format("{}: the token in HF_TOKEN is wrong or has expired ({})", what, reply),
                "set HF_TOKEN to a valid token with read access, or unset it: a wrong one is "
                "refused for public files too"};
    return {ErrorKind::unauthorized,
            fmt::format("{}: Hugging Face wants a token ({})", what, reply),
            "the repository is private, gated or not there: check its name, and set HF_TOKEN to a "
            "valid token with read access"};
}

Error hugging_face_forbidden(const http::Response& response, const std::string& message,
                             const std::string& what, const std::string& reply) {
    if (is_page(response)) return blocked(what, "Hugging Face", reply);
    if (says(message, "disabled"))
        return {ErrorKind::not_found,
                fmt::format("{}: Hugging Face has disabled the repository ({})", what, reply),
                "no token helps; use another source"};
    return {ErrorKind::unauthorized, fmt::format("{}: Hugging Face refuses ({})", what, reply),
            "set HF_TOKEN to a token that may read this repository; a fine-grained one names the "
            "repositories it is for"};
}

Error hugging_face_refusal(const http::Response& response, const std::string& what) {
    const std::string message =
        one_line(response.header("x-error-message").value_or(complaint_of(response).text));
    const std::string reply = said(response, message);
    if (auto error = coded_refusal(response, what, reply)) return *error;
    if (auto error = common_refusal(response, what, "Hugging Face", reply)) return *error;
    switch (response.status) {
        case 401:
            return hugging_face_unauthorized(message, what, reply);
        case 403:
            return hugging_face_forbidden(response, message, what, reply);
        case 404:
        case 410:
            return {ErrorKind::not_found, fmt::format("{}: not on Hugging Face ({})", what, reply),
                    "check repository, revision and path"};
        default:
            return {ErrorKind::network, fmt::format("{}: Hugging Face answers {}", what, reply),
                    "podctl does not know this answer; try the file's page in a browser"};
    }
}

Error server_refusal(const http::Response& response, const std::string& what) {
    const std::string reply = said(response, complaint_of(response).text);
    if (auto error = common_refusal(response, what, "the server", reply)) return *error;
    switch (response.status) {
        case 401:
        case 403:
            return {ErrorKind::unauthorized,
                    fmt::format("{}: the server refuses ({})", what, reply),
                    "the URL needs a login or has expired; tokens are sent to Civitai and Hugging "
                    "Face only"};
        case 404:
        case 410:
            return {ErrorKind::not_found,
                    fmt::format("{}: no such file on the server ({})", what, reply),
                    "check the URL"};
        default:
            return {ErrorKind::network, fmt::format("{}: the server answers {}", what, reply),
                    "check the URL; a browser or curl -v shows what it gives there"};
    }
}

}  // namespace

Hub hub_of(const std::string& url) {
    const auto parsed = parse_url(url);
    if (!parsed) return Hub::other;
    if (parsed->host == "civitai.com" || parsed->host == "civitai.red") return Hub::civitai;
    if (parsed->host == "huggingface.co") return Hub::huggingface;
    return Hub::other;
}

Error refusal(const http::Response& response, const std::string& url, const std::string& what) {
    if (response.token_withheld && (response.status == 401 || response.status == 403))
        return {ErrorKind::unauthorized,
                fmt::format(
                    "{}: HTTP {}; the token was not sent, since it would go over plain http to {}",
                    what, response.status, http::shown(response.url)),
                "use https, or --insecure-http to send it all the same"};
    if (response.header("x-error-code")) return hugging_face_refusal(response, what);
    switch (hub_of(url)) {
        case Hub::civitai:
            return civitai_refusal(response, what);
        case Hub::huggingface:
            return hugging_face_refusal(response, what);
        case Hub::other:
            return server_refusal(response, what);
    }
    return server_refusal(response, what);
}

}  // namespace podctl::hub
