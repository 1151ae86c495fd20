#pragma once

#include "podctl/base/error.hpp"
#include "podctl/fetch/download.hpp"

#include "answer.hpp"
#include "control_file.hpp"
#include "partial_file.hpp"
#include "retry.hpp"

#include <optional>
#include <stop_token>
#include <string>

namespace podctl::fetch {

// Throws Error{integrity} when the bytes at request.partial are not the ones that were asked for.
void check_bytes(const DownloadRequest& request, const std::string& digest, std::uint64_t size);

// One file on its way: opened → asking ⇄ waiting → verified. Every state is a value here; an
// attempt is one request, and what it says decides what the next one asks for.
class Transfer {
public:
    Transfer(const DownloadRequest& request, HttpClient& http, std::string url,
             const DownloadMonitor& monitor, std::stop_token stop);

    Downloaded run();

private:
    void open();
    bool continues_earlier(const std::optional<ControlFile>& control) const;
    void start_over();

    enum class Next { ask, verify };
    Next attempt();
    HttpRequest next_request() const;
    HttpResponse exchange();
    bool on_headers(const HttpResponse& response);
    void on_body(const char* data, std::size_t size);
    void begin_body(const HttpResponse& response);
    Next after_body();
    Next after_refusal(HttpResponse response);
    Next wait_after_cut(const Error& error);

    std::optional<Downloaded> verified();
    void discard();
    void report_progress() const;

    const DownloadRequest& request_;
    HttpClient& http_;
    const std::string url_;  // after mirrors
    const DownloadMonitor& monitor_;
    std::stop_token stop_;

    PartialFile file_;
    ControlFile known_;
    Backoff backoff_;
    bool has_earlier_bytes_ = false;  // of another call: a wrong digest may be their fault
    std::string signed_url_;          // where the hub redirected to; valid for a while
    int missing_answers_ = 0;
    std::uint64_t furthest_ = 0;
    std::uint64_t received_ = 0;

    // Of the attempt that runs.
    Verdict verdict_ = Verdict::refused;
    std::string error_body_;
};

}  // namespace podctl::fetch
