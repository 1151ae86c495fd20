// What drives libcurl: one thread and one multi handle.
#include "podctl/http/http.hpp"

#include "podctl/base/certificates.hpp"
#include "podctl/base/debug_log.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/thread.hpp"
#include "podctl/base/units.hpp"
#include "podctl/http/url_rules.hpp"

#include "connection.hpp"
#include "exchange.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace podctl::http {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int max_redirects = 10;
constexpr std::chrono::milliseconds pause_check{10};

struct MultiDeleter {
    void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
};

// "GET https://hub.example/x: 206 in 1.2s".
std::string told(const Exchange& exchange) {
    const auto took =
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - exchange.asked);
    const auto end = exchange.failure ? as_error(exchange.failure).message()
                                      : std::to_string(exchange.response.status);
    return fmt::format("{} {}: {} in {}", exchange.method, shown(exchange.url.to_string()), end,
                       format_duration(took));
}

}  // namespace

struct Client::State {
    explicit State(Options given);
    ~State();

    Client::StreamId submit(std::shared_ptr<Exchange> exchange);
    void cancel(Client::StreamId id);
    Response perform(std::shared_ptr<Exchange> exchange, std::stop_token stop);

    const Options options;
    const std::string bundle;  // of the certificates to trust; empty: libcurl's own

private:
    struct Running {
        std::shared_ptr<Exchange> exchange;
        std::unique_ptr<ExchangeContext> context;
    };

    void run();
    void turn(std::vector<std::shared_ptr<Exchange>>& fresh);
    void fail_all(std::vector<std::shared_ptr<Exchange>>& fresh, std::exception_ptr failure);
    void begin(std::shared_ptr<Exchange> exchange);
    void add_handle(Running& running);
    void resume_paused();
    void finish_transfers();
    void finish(CURL* handle, CURLcode code);
    enum class Next { hop, end };
    Next transfer_ended(Running& running, CURLcode code);
    void drop_overdue();
    void complete(Exchange& exchange);
    int milliseconds_to_next_check() const;

    std::unique_ptr<CURLM, MultiDeleter> multi_;
    std::mutex mutex_;
    StreamId next_id_ = 1;  // under mutex_, as the next three
    std::vector<std::shared_ptr<Exchange>> arriving_;
    std::map<StreamId, std::shared_ptr<Exchange>> live_;  // from submit() to complete()
    bool ending_ = false;
    RateLimit limit_;  // the client's thread only
    Clock::duration in_callbacks_ = {};
    std::vector<Running> running_;  // the client's thread only
    std::jthread thread_;
};

Client::State::State(Options given)
    : options(std::move(given)), bundle(certificate_bundle()), limit_(options.limit_rate) {
    static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (initialised != CURLE_OK) throw Error{ErrorKind::internal, "libcurl does not start"};
    multi_.reset(curl_multi_init());
    if (!multi_) throw std::bad_alloc{};
    thread_ =
        start_thread([this](const std::stop_token&) { run(); }, [](const std::exception_ptr&) {});
}

Client::State::~State() {
    {
        const std::scoped_lock lock(mutex_);
        ending_ = true;
    }
    curl_multi_wakeup(multi_.get());
    thread_.join();
}

Client::StreamId Client::State::submit(std::shared_ptr<Exchange> exchange) {
    exchange->url = checked_url(exchange->request.url);
    exchange->method = exchange->request.method;
    exchange->asked = Clock::now();
    exchange->deadline = exchange->asked + exchange->request.timeout;
    StreamId id = 0;
    {
        const std::scoped_lock lock(mutex_);
        id = exchange->id = next_id_++;
        live_.emplace(id, exchange);
        arriving_.push_back(std::move(exchange));
    }
    curl_multi_wakeup(multi_.get());
    return id;
}

void Client::State::cancel(StreamId id) {
    {
        const std::scoped_lock lock(mutex_);
        const auto found = live_.find(id);
        if (found == live_.end()) return;
        found->second->stopped = true;
    }
    curl_multi_wakeup(multi_.get());
}

// Not a std::promise: the client's thread must not be left with a share of the exception.
Response Client::State::perform(std::shared_ptr<Exchange> exchange, std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable ended;
    bool done = false;
    Response answer;
    std::exception_ptr failure;
    exchange->on_end = [&](Response response, std::exception_ptr what) {
        const std::scoped_lock lock(mutex);
        answer = std::move(response);
        failure = std::move(what);
        done = true;
        ended.notify_one();
    };
    const StreamId id = submit(std::move(exchange));
    const std::stop_callback on_stop(stop, [&] { cancel(id); });
    std::unique_lock lock(mutex);
    ended.wait(lock, [&] { return done; });
    if (failure) std::rethrow_exception(failure);
    return answer;
}

// What goes wrong in a turn itself (no memory, say) ends the exchanges, whose callers wait for
// their ends, and not the process.
void Client::State::run() {
    while (true) {
        std::vector<std::shared_ptr<Exchange>> fresh;
        {
            const std::scoped_lock lock(mutex_);
            if (ending_) break;
            fresh.swap(arriving_);
        }
        try {
            turn(fresh);
        } catch (...) {
            fail_all(fresh, std::current_exception());
        }
    }
}

void Client::State::turn(std::vector<std::shared_ptr<Exchange>>& fresh) {
    for (auto& exchange : fresh)
        begin(std::exchange(exchange, nullptr));
    limit_.refill();
    resume_paused();
    int active = 0;
    in_callbacks_ = {};
    curl_multi_perform(multi_.get(), &active);
    // Time that a callback took for one transfer is not held against the others. What libcurl took
    // itself is: a server can keep it busy without giving a byte of the answer.
    for (auto& running : running_)
        running.exchange->last_byte += in_callbacks_;
    finish_transfers();
    drop_overdue();
    curl_multi_poll(multi_.get(), nullptr, 0, milliseconds_to_next_check(), nullptr);
}

void Client::State::fail_all(std::vector<std::shared_ptr<Exchange>>& fresh,
                             std::exception_ptr failure) {
    for (auto& exchange : fresh) {
        if (!exchange) continue;  // it runs, or has ended
        exchange->failure = failure;
        complete(*exchange);
    }
    while (!running_.empty()) {
        const auto exchange = running_.back().exchange;
        curl_multi_remove_handle(multi_.get(), exchange->handle.get());
        running_.pop_back();
        exchange->failure = failure;
        complete(*exchange);
    }
}

void Client::State::begin(std::shared_ptr<Exchange> exchange) {
    const bool begun = guarded(*exchange, [&] {
        Running running{exchange, std::make_unique<ExchangeContext>(ExchangeContext{
                                      exchange.get(), &options, &limit_, &in_callbacks_})};
        running_.reserve(running_.size() + 1);
        exchange->handle.reset(curl_easy_init());
        add_handle(running);
        running_.push_back(std::move(running));
    });
    if (!begun) complete(*exchange);
}

void Client::State::add_handle(Running& running) {
    prepare(*running.context, bundle);
    const auto code = curl_multi_add_handle(multi_.get(), running.exchange->handle.get());
    if (code != CURLM_OK) throw Error{ErrorKind::internal, curl_multi_strerror(code)};
}

void Client::State::resume_paused() {
    std::vector<CURL*> ready;
    for (auto& running : running_) {
        Exchange& exchange = *running.exchange;
        bool has_room = false;
        if (exchange.paused) guarded(exchange, [&] { has_room = takes_body(exchange, limit_); });
        if (has_room || exchange.failure) ready.push_back(exchange.handle.get());
    }
    for (CURL* handle : ready) {
        // This hands over what had come, so it can fail as any other part of a transfer.
        const CURLcode code = curl_easy_pause(handle, CURLPAUSE_CONT);
        if (code != CURLE_OK) finish(handle, code);
    }
}

void Client::State::finish_transfers() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left))
        if (message->msg == CURLMSG_DONE) finish(message->easy_handle, message->data.result);
}

void Client::State::finish(CURL* handle, CURLcode code) {
    curl_multi_remove_handle(multi_.get(), handle);
    const auto found = std::ranges::find_if(
        running_, [&](const Running& one) { return one.exchange->handle.get() == handle; });
    const auto exchange = found->exchange;
    Next next = Next::end;
    guarded(*exchange, [&] { next = transfer_ended(*found, code); });
    if (next == Next::hop) return;
    running_.erase(found);
    complete(*exchange);
}

Client::State::Next Client::State::transfer_ended(Running& running, CURLcode code) {
    Exchange& exchange = *running.exchange;
    if (exchange.failure) return Next::end;
    // A redirect's own body does not matter, not even when it was cut.
    if (const auto redirect = std::exchange(exchange.redirect, std::nullopt)) {
        if (++exchange.redirects > max_redirects)
            // No fault that passes.
            throw Error{ErrorKind::not_found,
                        fmt::format("{}: more than {} redirects", shown(exchange.url.to_string()),
                                    max_redirects),
                        "check the URL; a login may be needed there"};
        exchange.url = redirect->url;
        exchange.method = redirect->method;
        if (redirect->origin == Origin::crossed) exchange.origin = Origin::crossed;
        add_handle(running);
        return Next::hop;
    }
    if (code != CURLE_OK && !exchange.declined) throw curl_error(exchange, code);
    if (!exchange.headers_done && !exchange.declined) throw no_answer(exchange);
    return Next::end;
}

void Client::State::drop_overdue() {
    const auto now = Clock::now();
    for (std::size_t i = 0; i < running_.size();) {
        const auto owned = running_[i].exchange;
        Exchange& exchange = *owned;
        const bool late = exchange.deadline && now >= *exchange.deadline;
        const auto stall_timeout = exchange.request.stall_timeout.value_or(options.stall_timeout);
        const bool stalled =
            exchange.headers_done && !exchange.paused && now - exchange.last_byte >= stall_timeout;
        if (!exchange.stopped && !late && !stalled) {
            ++i;
            continue;
        }
        curl_multi_remove_handle(multi_.get(), exchange.handle.get());
        running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
        if (exchange.stopped)
            exchange.failure = std::make_exception_ptr(Error{ErrorKind::interrupted, "stopped"});
        else
            exchange.failure = std::make_exception_ptr(network_error(
                exchange,
                late ? fmt::format("no whole answer within {} ms", exchange.request.timeout.count())
                     : fmt::format("no byte came for {} ms", stall_timeout.count())));
        complete(exchange);
    }
}

void Client::State::complete(Exchange& exchange) {
    exchange.handle.reset();
    if (!exchange.request.is_try) log_debug("http", [&] { return told(exchange); });
    {
        const std::scoped_lock lock(mutex_);
        live_.erase(exchange.id);
    }
    // Nothing of the failure stays with this thread. The caller waits for the call, so whatever it
    // throws is a fault of the callee's that nobody is left to be told of.
    try {
        exchange.on_end(std::move(exchange.response), std::exchange(exchange.failure, nullptr));
    } catch (...) {
    }
}

int Client::State::milliseconds_to_next_check() const {
    auto wait = std::chrono::milliseconds{1'000};
    const auto now = Clock::now();
    const auto until = [&](Clock::time_point time) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(time - now);
        wait = std::clamp(left, std::chrono::milliseconds{0}, wait);
    };
    for (const auto& running : running_) {
        if (running.exchange->deadline) until(*running.exchange->deadline);
        if (running.exchange->paused) wait = std::min(wait, pause_check);
        if (running.exchange->headers_done && !running.exchange->paused)
            until(running.exchange->last_byte +
                  running.exchange->request.stall_timeout.value_or(options.stall_timeout));
    }
    return static_cast<int>(wait.count());
}

Client::Client(Options options) : state_(std::make_unique<State>(std::move(options))) {}

Client::~Client() = default;

Response Client::send(const Request& request, std::stop_token stop) {
    return state_->perform(std::make_shared<Exchange>(request), stop);
}

Response Client::stream(const Request& request, const Sink& sink, std::stop_token stop) {
    return state_->perform(std::make_shared<Exchange>(request, sink), stop);
}

Client::StreamId Client::start(Request request, Sink sink) {
    return state_->submit(std::make_shared<Exchange>(std::move(request), std::move(sink)));
}

void Client::cancel(StreamId id) {
    state_->cancel(id);
}

std::unique_ptr<Connection> Client::connect(const Url& url, std::chrono::milliseconds timeout,
                                            const std::stop_token& stop) {
    return open_connection(url, state_->options, state_->bundle, timeout, stop);
}

const Options& Client::options() const {
    return state_->options;
}

std::optional<std::string> Response::header(std::string_view name) const {
    for (const auto& [key, value] : headers)
        if (key == name) return value;
    return std::nullopt;
}

}  // namespace podctl::http
