#include "refusal.hpp"

#include "podctl/base/url.hpp"

#include "http_rules.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace podctl::fetch {
namespace {

// {"error":"Early Access","deadline":"…"}, or {"error":{"message":…}}, or {"message":…}.
struct Complaint {
    std::string error;
    std::string deadline;
};

std::string text_at(const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

Complaint complaint_of(const HttpResponse& response) {
    const auto json = nlohmann::json::parse(response.body, nullptr, false);
    if (!json.is_object()) return {};
    Complaint complaint{.error = text_at(json, "error"), .deadline = text_at(json, "deadline")};
    if (complaint.error.empty()) complaint.error = text_at(json, "message");
    if (complaint.error.empty() && json.contains("error") && json["error"].is_object())
        complaint.error = text_at(json["error"], "message");
    constexpr std::size_t enough = 200;
    if (complaint.error.size() > enough) complaint.error.resize(enough);
    for (auto* text : {&complaint.error, &complaint.deadline})
        std::erase_if(*text, [](char c) { return c >= 0 && c < ' '; });
    return complaint;
}

std::string said(const HttpResponse& response, const std::string& complaint) {
    return complaint.empty() ? fmt::format("HTTP {}", response.status)
                             : fmt::format("HTTP {}, \"{}\"", response.status, complaint);
}

Error civitai_refusal(const HttpResponse& response, const std::string& what) {
    const auto complaint = complaint_of(response);
    const std::string reply = said(response, complaint.error);
    switch (response.status) {
        case 401:
            return {ErrorKind::unauthorized,
                    fmt::format("{}: Civitai wants an API key ({})", what, reply),
                    "set CIVITAI_API_KEY to a key from your Civitai account settings; when it is "
                    "set, it is wrong, or the creator has disabled downloads"};
        case 403:
            if (complaint.error.find("Early Access") != std::string::npos)
                return {
                    ErrorKind::unauthorized,
                    fmt::format("{}: in Early Access{}", what,
                                complaint.deadline.empty() ? "" : " until " + complaint.deadline),
                    "buy access on the model's page with the account of CIVITAI_API_KEY, wait, "
                    "or name an earlier version: civitai:MODEL@VERSION"};
            return {ErrorKind::unauthorized,
                    fmt::format("{}: Civitai gives no access ({})", what, reply),
                    "check that the account of CIVITAI_API_KEY may see the model's page"};
        case 404:
            return {
                ErrorKind::not_found, fmt::format("{}: not on Civitai ({})", what, reply),
                "check the ids: a bare number is a model id, a version is civitai:MODEL@VERSION"};
        case 410:
            return {ErrorKind::not_found, fmt::format("{}: archived on Civitai", what),
                    "its creator withdrew it; name another version or another source"};
        default:
            return {ErrorKind::network, fmt::format("{}: Civitai answers {}", what, reply)};
    }
}

Error hugging_face_refusal(const HttpResponse& response, const std::string& what) {
    const std::string code = response.header("x-error-code").value_or("");
    const std::string reply =
        said(response, response.header("x-error-message").value_or(complaint_of(response).error));
    if (code == "GatedRepo" && response.status == 401)
        return {ErrorKind::unauthorized, fmt::format("{}: a gated repository ({})", what, reply),
                "accept its terms on its Hugging Face page and set HF_TOKEN to a token of that "
                "account"};
    if (code == "GatedRepo")
        return {
            ErrorKind::unauthorized,
            fmt::format("{}: the account of HF_TOKEN has no access to this gated repository ({})",
                        what, reply),
            "accept its terms on its Hugging Face page and wait until access is granted"};
    if (code == "RepoNotFound")
        return {ErrorKind::not_found, fmt::format("{}: no such repository ({})", what, reply),
                "check its name; a private one needs HF_TOKEN with access to it"};
    if (code == "RevisionNotFound")
        return {ErrorKind::not_found, fmt::format("{}: no such revision ({})", what, reply),
                "check the branch, tag or commit after @"};
    if (code == "EntryNotFound")
        return {ErrorKind::not_found,
                fmt::format("{}: no such file in the repository ({})", what, reply),
                "check the path; names are case-sensitive"};
    switch (response.status) {
        case 401:
        case 403:
            return {ErrorKind::unauthorized,
                    fmt::format("{}: Hugging Face refuses ({})", what, reply),
                    "set HF_TOKEN to a valid token with read access; a wrong one is refused too"};
        case 404:
        case 410:
            return {ErrorKind::not_found, fmt::format("{}: not on Hugging Face ({})", what, reply),
                    "check repository, revision and path"};
        default:
            return {ErrorKind::network, fmt::format("{}: Hugging Face answers {}", what, reply)};
    }
}

Error server_refusal(const HttpResponse& response, const std::string& what) {
    const std::string reply = said(response, complaint_of(response).error);
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
            return {ErrorKind::network, fmt::format("{}: the server answers {}", what, reply)};
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

Error refusal(const HttpResponse& response, const std::string& url, const std::string& what) {
    if (response.token_withheld && (response.status == 401 || response.status == 403))
        return {ErrorKind::unauthorized,
                fmt::format(
                    "{}: HTTP {}; the token was not sent, since it would go over plain http to {}",
                    what, response.status, shown(response.url)),
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

}  // namespace podctl::fetch
