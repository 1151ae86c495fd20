#include "podctl/hub/hub_errors.hpp"

#include "podctl/hub/resolve.hpp"

#include "support/error_of.hpp"
#include "support/hub.hpp"

#include <gmock/gmock.h>

namespace podctl::hub {
namespace {

using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

constexpr const char* civitai_url = "https://civitai.com/api/download/models/5?fileId=1";
constexpr const char* hf_url = "https://huggingface.co/o/r/resolve/main/m";
constexpr const char* other_url = "https://host.example/m";
constexpr const char* page = "<!DOCTYPE html><title>Just a moment…</title>";

Error civitai(int status, const std::string& body = "") {
    return refusal({.status = status, .body = body}, civitai_url, "m");
}

Error hugging_face(int status, const std::string& code, const std::string& message = "") {
    http::Response response{.status = status};
    if (!code.empty()) response.headers.emplace_back("x-error-code", code);
    if (!message.empty()) response.headers.emplace_back("x-error-message", message);
    return refusal(response, hf_url, "m");
}

TEST(Refusal, OfCivitaiSaysWhatHelps) {
    EXPECT_EQ(civitai(400, R"({"error":"Invalid type"})").kind(), ErrorKind::not_found);
    EXPECT_THAT(civitai(400, R"({"error":"Invalid type"})").message(), HasSubstr("Invalid type"));
    EXPECT_THAT(civitai(400).hint(), HasSubstr("fileId"));

    EXPECT_EQ(civitai(401).kind(), ErrorKind::unauthorized);
    EXPECT_THAT(civitai(401).hint(), HasSubstr("CIVITAI_API_KEY"));
    const auto login = civitai(
        401, R"({"error":"Unauthorized","message":"The creator requires you to be logged in"})");
    EXPECT_THAT(login.message(), HasSubstr("requires you to be logged in"));
    EXPECT_THAT(
        civitai(401, R"({"error":"Unauthorized","message":"Downloads are disabled"})").hint(),
        HasSubstr("no key helps"));

    const auto early = civitai(403, R"({"error":"Early Access","deadline":"2026-12-01"})");
    EXPECT_EQ(early.kind(), ErrorKind::unauthorized);
    EXPECT_THAT(early.message(), HasSubstr("Early Access until 2026-12-01"));
    EXPECT_THAT(early.hint(), HasSubstr("earlier version"));
    EXPECT_THAT(civitai(403, R"({"error":"Forbidden"})").hint(), HasSubstr("account"));

    EXPECT_EQ(civitai(404).kind(), ErrorKind::not_found);
    EXPECT_EQ(civitai(410).kind(), ErrorKind::not_found);
    EXPECT_THAT(civitai(410).message(), HasSubstr("archived"));
}

TEST(Refusal, ByAFirewallIsNotTakenForTheHubs) {
    for (const char* url : {civitai_url, hf_url}) {
        const auto error = refusal({.status = 403, .body = page}, url, "m");
        EXPECT_EQ(error.kind(), ErrorKind::network);
        EXPECT_THAT(error.message(), HasSubstr("web page"));
        EXPECT_THAT(error.hint(), HasSubstr("firewall"));
        EXPECT_THAT(error.hint(), Not(HasSubstr("TOKEN")));
    }
    const http::Response typed{.status = 403, .headers = {{"content-type", "text/html; x=y"}}};
    EXPECT_THAT(refusal(typed, civitai_url, "m").hint(), HasSubstr("firewall"));
}

TEST(Refusal, OfHuggingFaceSaysWhatHelps) {
    EXPECT_THAT(hugging_face(401, "GatedRepo").hint(), HasSubstr("accept its terms"));
    EXPECT_THAT(hugging_face(403, "GatedRepo").message(), HasSubstr("no access"));
    EXPECT_EQ(hugging_face(404, "RepoNotFound").kind(), ErrorKind::not_found);
    EXPECT_EQ(hugging_face(404, "RevisionNotFound").kind(), ErrorKind::not_found);
    EXPECT_EQ(hugging_face(404, "EntryNotFound").kind(), ErrorKind::not_found);

    const auto wrong = hugging_face(401, "", "Invalid credentials in Authorization header");
    EXPECT_EQ(wrong.kind(), ErrorKind::unauthorized);
    EXPECT_THAT(wrong.message(), HasSubstr("HF_TOKEN is wrong or has expired"));
    const auto none = hugging_face(401, "");
    EXPECT_THAT(none.message(), HasSubstr("wants a token"));
    EXPECT_THAT(none.hint(), HasSubstr("set HF_TOKEN"));
    EXPECT_THAT(hugging_face(403, "").hint(), HasSubstr("fine-grained"));
    EXPECT_THAT(hugging_face(403, "", "Access to this resource is disabled.").hint(),
                HasSubstr("no token helps"));
    EXPECT_EQ(hugging_face(404, "").kind(), ErrorKind::not_found);
}

TEST(Refusal, SaysWhenToComeBack) {
    for (const char* url : {civitai_url, hf_url, other_url}) {
        const auto busy = refusal({.status = 429, .headers = {{"retry-after", "3600"}}}, url, "m");
        EXPECT_EQ(busy.kind(), ErrorKind::network);
        EXPECT_THAT(busy.message(), HasSubstr("a wait of 3600 s"));
        EXPECT_THAT(busy.hint(), HasSubstr("later"));
        for (const int status : {500, 502, 503, 504, 520, 524}) {
            const auto fault = refusal({.status = status, .body = page}, url, "m");
            EXPECT_EQ(fault.kind(), ErrorKind::network) << status;
            EXPECT_THAT(fault.message(), HasSubstr("fault (HTTP " + std::to_string(status)));
        }
        const auto closed = refusal({.status = 451}, url, "m");
        EXPECT_EQ(closed.kind(), ErrorKind::not_found);
        EXPECT_THAT(closed.hint(), HasSubstr("country"));
    }
    const http::Response limited{.status = 429, .headers = {{"ratelimit", R"("api";r=0;t=55)"}}};
    EXPECT_THAT(refusal(limited, hf_url, "m").message(), HasSubstr("56 s"));
}

TEST(Refusal, OfAnyServerHasAHint) {
    for (const char* url : {civitai_url, hf_url, other_url})
        for (const int status : {300, 400, 401, 402, 403, 404, 405, 407, 410, 416, 418, 429, 451,
                                 500, 501, 503, 520, 599})
            EXPECT_FALSE(refusal({.status = status}, url, "m").hint().empty()) << url << status;
}

TEST(Refusal, ShowsOneShortLineOfWhatAServerSays) {
    const auto error = civitai(404, R"({"error":"a\u001b[31m\n)" + std::string(500, 'x') + "\"}");
    EXPECT_LT(error.message().size(), 300u);
    EXPECT_THAT(error.message(), Not(HasSubstr("\x1B")));
    EXPECT_THAT(error.message(), Not(HasSubstr("\n")));
    for (const char* body : {"", "null", "[1]", "{\"error\":[]}", "{\"error\":{\"message\":1}}",
                             "\xFF\xFE", R"({"error":{"message":"nested"}})"})
        EXPECT_EQ(civitai(404, body).kind(), ErrorKind::not_found) << body;
    EXPECT_THAT(civitai(404, R"({"error":{"message":"nested"}})").message(), HasSubstr("nested"));
}

// How often a hub is asked that answers with nothing but `status`.
std::size_t times_asked(int status, const std::string& source) {
    test::Hub hub;
    const auto answer = [&](const test::Request&, test::Response& response) {
        response = {.status = status};
    };
    hub.alter_civitai(answer);
    hub.alter_huggingface(answer);
    http::Client http;
    const http::RetryPolicy retry{.attempts = 3, .first_wait = 1ms, .longest_wait = 2ms};
    test::error_of([&] { resolve(parse_source(source), http, Mirrors{hub.mirrors()}, retry, {}); });
    return hub.civitai().requests().size() + hub.huggingface().requests().size();
}

TEST(Refusal, IsAskedForAgainOnlyWhereThatCanHelp) {
    for (const char* source : {"civitai:1@2", "hf:o/r/m"}) {
        for (const int status : {400, 401, 403, 404, 410, 451})
            EXPECT_EQ(times_asked(status, source), 1u) << source << " " << status;
        for (const int status : {408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
            EXPECT_EQ(times_asked(status, source), 3u) << source << " " << status;
    }
}

}  // namespace
}  // namespace podctl::hub
