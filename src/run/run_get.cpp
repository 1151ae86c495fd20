#include "podctl/base/stop.hpp"
#include "podctl/plan/plan.hpp"
#include "podctl/run/get.hpp"

#include "context.hpp"
#include "executor.hpp"
#include "get_folders.hpp"
#include "model_store.hpp"

#include <fmt/format.h>

#include <atomic>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <variant>

namespace podctl::run {
namespace {

using Clock = std::chrono::steady_clock;

// Every step is a download.
constexpr unsigned no_jobs_beside_downloads = 1;

http::Options http_options_of(const GetRequest& request) {
    auto options = request.http;
    options.credentials = credentials_of(request.secrets, request.mirrors);
    for (const auto& [from, to] : request.mirrors.prefixes())
        options.own_places.push_back(to);
    return options;
}

// A source's query may be long, and hold what nobody should see; two sources that differ only there
// get numbers.
std::string new_id(const std::string& source, std::map<std::string, int>& taken) {
    const std::string plain = source.substr(0, source.find_first_of("?#"));
    std::string id = plain;
    while (!taken.emplace(id, 1).second)
        id = fmt::format("{} ({})", plain, ++taken[plain]);
    return id;
}

// The files wait for nothing but their turn.
plan::Plan plan_of(const std::vector<hub::BatchEntry>& entries, const download::GetRequest& all) {
    plan::Plan plan;
    std::map<std::string, int> taken;
    for (const auto& entry : entries)
        plan.steps.push_back(
            {.id = new_id(entry.source.text, taken), .action = model_of(entry, all)});
    return plan;
}

// Tells of each failure, and knows which was the first.
class GetFailures {
public:
    explicit GetFailures(EventSink& events) : events_(events) {}

    void tell(const std::string& step, const Error& error) {
        {
            const std::scoped_lock lock{mutex_};
            if (!first_) first_ = error.kind();
        }
        events_.emit(event::StepFailed{step, error.kind(), error.message(), error.hint(), false});
    }
    std::optional<ErrorKind> first() const {
        const std::scoped_lock lock{mutex_};
        return first_;
    }

private:
    EventSink& events_;
    mutable std::mutex mutex_;
    std::optional<ErrorKind> first_;  // under mutex_
};

// Each step by the one Getter, in its turn.
class GetRunner : public StepRunner {
public:
    GetRunner(const GetRequest& request, const plan::Plan& plan, download::Getter& getter,
              GetFailures& failures, EventSink& events, Clock::time_point first_turn)
        : request_(request), getter_(getter), failures_(failures), events_(events) {
        for (const auto& step : plan.steps) {
            turns_[step.id] = first_turn;
            first_turn += request.pause;
        }
    }

    StepEnd run(const plan::Step& step, const WaitFor&, std::stop_token stop) override {
        try {
            // A hub that counts questions is not asked all of them at once.
            if (!wait_for(turns_.at(step.id) - Clock::now(), stop))
                return {StepEnd::State::failed, ErrorKind::interrupted};
            bring(step, std::get<plan::FetchModel>(step.action), stop);
            return {};
        } catch (const std::exception& caught) {
            const Error error = as_error(caught);
            failures_.tell(step.id, error);
            return {StepEnd::State::failed, error.kind()};
        }
    }

    // No step needs another one.
    void not_run(const plan::Step&, const std::string&) override {}

    std::uint64_t received() const { return received_; }

private:
    void bring(const plan::Step& step, const plan::FetchModel& model, const std::stop_token& stop) {
        const auto started = Clock::now();
        events_.emit(event::StepStarted{step.id});
        const auto file = request_of(model, request_.common);
        const auto got = getter_.get(file, monitor_of(step.id), stop);
        received_ += got.received;
        const auto took =
            std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started);
        events_.emit(event::StepFinished{step.id, took, got.changed});
        if (file.content == download::GetRequest::Content::file_and_metadata)
            events_.emit(event::FileReady{step.id, got.path.string(), got.sha256, got.size});
    }

    download::GetMonitor monitor_of(const std::string& id) {
        auto retry = told_retries(id, events_);
        retry.attempts = request_.attempts;
        return {.on_progress =
                    [this, id](const download::Progress& it) {
                        events_.emit(event::StepProgress{id, it.done, it.total});
                    },
                .on_notice =
                    [this, id](const std::string& text) {
                        events_.emit(event::Notice{id, text});
                    },
                .retry = std::move(retry)};
    }

    const GetRequest& request_;
    download::Getter& getter_;
    GetFailures& failures_;
    EventSink& events_;
    std::map<std::string, Clock::time_point> turns_;
    std::atomic<std::uint64_t> received_ = 0;
};

std::optional<ErrorKind> any_failure(const std::map<std::string, StepEnd>& ends) {
    for (const auto& [id, end] : ends)
        if (end.failure) return end.failure;
    return std::nullopt;
}

// nullptr: there is none, or it cannot be used, which is told.
std::unique_ptr<download::Store> store_for(const GetRequest& request, EventSink& events) {
    if (request.store.empty()) return nullptr;
    try {
        return std::make_unique<download::Store>(request.store, Missing::make);
    } catch (const Error& error) {
        events.emit(event::Notice{"", told_of_unused_store(error)});
        return nullptr;
    }
}

}  // namespace

GetResult get(const GetRequest& request, EventSink& events, const std::stop_token& stop) {
    const auto first_turn = Clock::now();
    GetFailures failures{events};
    http::Client http{http_options_of(request)};
    const auto files = with_files_of_folders(
        request.entries, {.globs = request.globs,
                          .http = http,
                          .mirrors = request.mirrors,
                          .retry = {.attempts = request.attempts},
                          .stop = stop,
                          .on_failure = [&](const hub::BatchEntry& entry, const Error& error) {
                              failures.tell(entry.source.text, error);
                          }});
    const auto plan = plan_of(files, request.common);
    download::Downloader downloader{http, request.mirrors};
    const auto store = store_for(request, events);
    download::Getter getter{downloader, store.get()};
    GetRunner runner{request, plan, getter, failures, events, first_turn};
    const auto ends = execute(plan, runner, no_jobs_beside_downloads, stop);
    // A step that had no chance to tell has failed all the same.
    const auto first = failures.first();
    return {.failure = first ? first : any_failure(ends), .downloaded_bytes = runner.received()};
}

}  // namespace podctl::run
