// git's smart protocol over http, stateless: GET info/refs, then a POST for each round of the
// negotiation, the last of which is answered by the pack.
// (https://git-scm.com/docs/http-protocol)
#include "http_transport.hpp"

#include "podctl/base/host.hpp"
#include "podctl/base/names.hpp"
#include "podctl/http/body_reader.hpp"
#include "podctl/http/http_message.hpp"

#include "library.hpp"
#include "location.hpp"
#include "logins.hpp"
#include "session.hpp"

#include <fmt/format.h>
#include <git2/sys/errors.h>
#include <git2/sys/transport.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace podctl::git {
namespace {

// A server may count and pack for a while before it says anything.
constexpr std::chrono::milliseconds patience{60'000};

constexpr std::string_view refs_path = "/info/refs", pack_path = "/git-upload-pack";
constexpr std::string_view refs_query = "service=git-upload-pack";

// What is asked next lies beside where info/refs was answered, as git has it.
struct Base {
    Url url;  // without the login
    std::optional<Login> login = {};
    http::Request::Reach reach = http::Request::Reach::anywhere;
};

Base base_of(std::string_view text, Session& session) {
    auto url = parse_url(text);
    const std::string fault = url ? host_fault(*url) : "is no URL";
    if (!fault.empty())
        throw Error{ErrorKind::git, fmt::format("{}: {}", without_secrets(text), fault),
                    "check the repository's URL"};
    Base base{.url = *url, .login = login_in(*url), .reach = session.contact().reach()};
    base.url.userinfo.clear();
    base.url.fragment.clear();
    while (base.url.path.ends_with('/'))
        base.url.path.pop_back();
    const auto known = session.logins.find(base.url.origin());
    if (!base.login && known != session.logins.end()) base.login = known->second;
    return base;
}

// A login stays with its origin.
Base redirected(const Base& base, const http::Response& answer) {
    auto url = parse_url(answer.url).value();
    if (!url.path.ends_with(refs_path) || !url.query.ends_with(refs_query))
        throw Error{ErrorKind::git,
                    fmt::format("{}: redirects to {}, which is no repository",
                                without_secrets(base.url.to_string()), without_secrets(answer.url)),
                    "check the repository's URL; a login may be needed there"};
    url.path.resize(url.path.size() - refs_path.size());
    url.query.resize(url.query.size() - refs_query.size());
    if (url.query.ends_with('&')) url.query.pop_back();
    Base next{.url = url, .login = base.login, .reach = base.reach};
    if (url.origin() == base.url.origin()) return next;
    next.login.reset();
    if (answer.from_internet) next.reach = http::Request::Reach::internet;
    return next;
}

enum class Round { refs, pack };

http::Request request_for(const Base& base, Round round) {
    Url url = base.url;
    url.path += round == Round::refs ? refs_path : pack_path;
    http::Request request{.timeout = patience,
                          .stall_timeout = patience,
                          .authorization = http::Request::Authorization::none,
                          .reach = base.reach};
    // Some hosts answer a browser's page to whoever is not git.
    request.headers = {{"User-Agent", "git/2.0 (podctl/" PODCTL_VERSION ")"}};
    if (base.login) request.headers.emplace_back("Authorization", base.login->header());
    if (round == Round::refs) {
        url.query += (url.query.empty() ? "" : "&") + std::string{refs_query};
        request.headers.emplace_back("Pragma", "no-cache");
    } else {
        request.method = "POST";
        request.headers.emplace_back("Content-Type", "application/x-git-upload-pack-request");
        request.headers.emplace_back("Accept", "application/x-git-upload-pack-result");
    }
    request.url = url.to_string();
    return request;
}

// The repository's URL where it was found at last, for messages.
std::string place_of(const http::Response& answer) {
    auto url = parse_url(answer.url).value();
    for (const std::string_view end : {refs_path, pack_path})
        if (url.path.ends_with(end)) url.path.resize(url.path.size() - end.size());
    url.query.clear();
    return without_secrets(url.to_string());
}

// What the server says of it, in plain text as git shows it: one line.
std::string words_of(http::BodyReader& reader) {
    if (http::media_type(reader.answer()) != "text/plain") return {};
    std::array<char, 200> text{};
    const std::size_t size = reader.read(text);
    const std::string_view words{text.data(), size};
    const auto line = trim(words.substr(0, words.find('\n')));
    return line.empty() ? std::string{} : fmt::format(": {}", line);
}

Error refusal(http::BodyReader& reader, const std::string& tried) {
    const int status = reader.answer().status;
    const std::string message = fmt::format("{}: the server answers {}{}",
                                            place_of(reader.answer()), status, words_of(reader));
    if (status == 401 || status == 403)
        return {ErrorKind::unauthorized, message,
                "the repository is private, or does not exist: many servers ask for a login rather "
                "than say so; " +
                    tried};
    if (status == 404 || status == 410)
        return {ErrorKind::not_found, message,
                "check the spelling of the repository's URL; if it is private: " + tried};
    if (status == 408 || status == 429 || status >= 500)
        return {ErrorKind::network, message, "try again later, or set a mirror for this prefix"};
    return {ErrorKind::git, message};
}

void require_service(http::BodyReader& reader, Round round) {
    const auto& answer = reader.answer();
    const std::string_view wanted = round == Round::refs
                                        ? "application/x-git-upload-pack-advertisement"
                                        : "application/x-git-upload-pack-result";
    const std::string type = http::media_type(answer);
    if (type == wanted) return;
    throw Error{ErrorKind::git,
                fmt::format("{}: answers with {}, so no repository is there", place_of(answer),
                            type.empty() ? "no type" : type),
                "check the repository's URL; a login may be needed there"};
}

struct HttpSubtransport : git_smart_subtransport {
    explicit HttpSubtransport(git_transport* of);

    git_transport* owner;
    Session* session = nullptr;  // since the first round was begun
    std::optional<Base> base;    // from the first round to the close
};

// One request, sent at the first read: libgit2 writes all of it before.
struct HttpStream : git_smart_subtransport_stream {
    HttpStream(HttpSubtransport& of, Round what);
    void ask();
    void send();

    HttpSubtransport& transport;
    Session& session;
    const Round round;
    std::string body;
    std::unique_ptr<http::BodyReader> reader;
};

HttpStream& self(git_smart_subtransport_stream* stream) {
    return static_cast<HttpStream&>(*stream);
}

int stream_read(git_smart_subtransport_stream* stream, char* into, std::size_t size,
                std::size_t* got) {
    return self(stream).session.guarded([&] {
        *got = 0;
        if (!self(stream).reader) self(stream).ask();
        const int code = read_terminated(into, size, got, [&](std::size_t most) {
            *got = self(stream).reader->read({into, most});
            return 0;
        });
        self(stream).session.contact().received(*got);
        return code;
    });
}

int stream_write(git_smart_subtransport_stream* stream, const char* bytes, std::size_t size) {
    return self(stream).session.guarded([&] {
        self(stream).body.append(bytes, size);
        return 0;
    });
}

void stream_free(git_smart_subtransport_stream* stream) {
    delete &self(stream);
}

HttpStream::HttpStream(HttpSubtransport& of, Round what)
    : git_smart_subtransport_stream{&of, stream_read, stream_write, stream_free},
      transport(of),
      session(*of.session),
      round(what) {}

void HttpStream::send() {
    http::Request request = request_for(*transport.base, round);
    request.body = body;
    reader = std::make_unique<http::BodyReader>(session.network().http, request, session.stop());
}

// The first round finds the login that the others have, too.
void HttpStream::ask() {
    Base& base = *transport.base;
    Logins logins{base.url, base.login, session.network(), session.stop()};
    send();
    const auto is_here = [&] {
        return parse_url(reader->answer().url)->origin() == base.url.origin();
    };
    while (round == Round::refs && reader->answer().status != 200 && is_here()) {
        auto login = logins.next(reader->answer().status);
        if (!login) break;
        base.login = std::move(login);
        send();
    }
    if (reader->answer().status != 200) throw refusal(*reader, logins.told());
    require_service(*reader, round);
    if (round != Round::refs) return;
    if (base.login) session.logins[base.url.origin()] = *base.login;
    session.contact().from_internet = reader->answer().from_internet;
    base = redirected(base, reader->answer());
}

HttpSubtransport& self(git_smart_subtransport* transport) {
    return static_cast<HttpSubtransport&>(*transport);
}

int begin_round(git_smart_subtransport_stream** out, git_smart_subtransport* transport,
                const char* url, git_smart_service_t service) {
    auto& own = self(transport);
    own.session = Session::of(own.owner);
    if (own.session == nullptr) return -1;
    return own.session->guarded([&] {
        if (service != GIT_SERVICE_UPLOADPACK_LS && service != GIT_SERVICE_UPLOADPACK)
            throw Error{ErrorKind::internal, "podctl pushes nothing"};
        if (!own.base) own.base = base_of(url, *own.session);
        const bool is_first = service == GIT_SERVICE_UPLOADPACK_LS;
        *out = std::make_unique<HttpStream>(own, is_first ? Round::refs : Round::pack).release();
        return 0;
    });
}

int close_subtransport(git_smart_subtransport* transport) {
    self(transport).base.reset();
    return 0;
}

void free_subtransport(git_smart_subtransport* transport) {
    delete &self(transport);
}

HttpSubtransport::HttpSubtransport(git_transport* of)
    : git_smart_subtransport{begin_round, close_subtransport, free_subtransport}, owner(of) {}

int new_subtransport(git_smart_subtransport** out, git_transport* owner, void*) {
    auto made = std::unique_ptr<HttpSubtransport>(new (std::nothrow) HttpSubtransport(owner));
    if (!made) git_error_set_oom();
    *out = made.release();
    return *out ? 0 : -1;
}

}  // namespace

void register_http_transport() {
    static git_smart_subtransport_definition definition{new_subtransport, 1, nullptr};
    for (const char* scheme : {"http", "https"})
        check(git_transport_register(scheme, git_transport_smart, &definition),
              "libgit2's transports");
}

}  // namespace podctl::git
