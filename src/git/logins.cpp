#include "logins.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process.hpp"

#include "netrc.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cstdlib>

namespace podctl::git {
namespace {

constexpr const char* of_the_url = "the login of the URL";

// For a helper that asks a keyring, or a service that does not answer.
constexpr std::chrono::seconds helper_patience{20};

std::string netrc_path() {
    if (const char* path = std::getenv("NETRC"); path && *path) return path;
    const char* home = std::getenv("HOME");
    return home && *home ? std::string{home} + "/.netrc" : std::string{};
}

// By what name a token for that host is listed (docs/secrets.md).
std::string token_name(const std::string& host) {
    if (host == "github.com") return "GITHUB_TOKEN";
    std::string name = "GIT_TOKEN_";
    for (const char c : host)
        name += c == '.' ? "_" : c == '-' ? "__" : std::string{c};
    return name;
}

// `git credential fill` reads the user's and the machine's configuration alone: at / it is in
// nobody's repository. The query goes by a variable, since a user's name may be a token.
Command helper_command(const Url& repository, const std::string& user) {
    std::string query = fmt::format("protocol={}\nhost={}", repository.scheme, repository.host);
    if (repository.port) query += fmt::format(":{}", *repository.port);
    if (repository.path.size() > 1) query += fmt::format("\npath={}", repository.path.substr(1));
    if (!user.empty()) query += fmt::format("\nusername={}", user);
    return {.argv = {"sh", "-c", "printf '%s\\n\\n' \"$PODCTL_ASKED\" | git credential fill"},
            .working_directory = "/",
            .environment = {{"PODCTL_ASKED", query},
                            {"GIT_TERMINAL_PROMPT", "0"},
                            {"GIT_ASKPASS", ""},  // set, so that core.askPass and SSH_ASKPASS rest
                            {"GCM_INTERACTIVE", "never"}},
            .unset = {"GIT_DIR", "GIT_WORK_TREE", "GIT_TRACE", "GIT_TRACE_CURL"}};
}

}  // namespace

std::string Login::header() const {
    return "Basic " + base64(user + ":" + password.reveal());
}

std::optional<Login> login_in(const Url& url) {
    if (url.userinfo.empty()) return std::nullopt;
    const auto colon = url.userinfo.find(':');
    const std::string password =
        colon == std::string::npos ? "" : percent_decode(url.userinfo.substr(colon + 1));
    return Login{percent_decode(url.userinfo.substr(0, colon)), Secret{password}, of_the_url};
}

Logins::Logins(Url repository, const std::optional<Login>& first, const Network& network,
               std::stop_token stop)
    : repository_(std::move(repository)),
      user_(first && first->from == of_the_url ? first->user : ""),
      network_(network),
      stop_(std::move(stop)),
      tried_{first ? first->from : "no login"} {}

std::optional<Login> Logins::from_token() {
    const auto given = http::authorization_for(repository_, network_.http.options());
    is_withheld_ = given.withheld;
    if (!given.token) return std::nullopt;
    // Any name does where the password is a token: GitHub, GitLab, Gitea, Hugging Face.
    return Login{"x-access-token", *given.token, given.name.empty() ? "its token" : given.name};
}

std::optional<Login> Logins::from_netrc() {
    const std::string path = netrc_path();
    if (path.empty()) return std::nullopt;
    try {
        const auto text = read_file_if_exists(path);
        auto entry =
            text ? find_in_netrc(*text, repository_.host, user_) : std::optional<NetrcEntry>{};
        if (!entry) return std::nullopt;
        return Login{std::move(entry->user), Secret{std::move(entry->password)}, path};
    } catch (const Error&) {
        return std::nullopt;  // one that cannot be read is as good as none
    }
}

std::optional<Login> Logins::from_helper() const {
    if (!find_program("git")) return std::nullopt;
    std::string output;
    try {
        const auto command = helper_command(repository_, user_);
        output = run_captured(command, stop_,
                              {.grace = std::chrono::milliseconds{500}, .timeout = helper_patience})
                     .output;
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted) throw;
        return std::nullopt;
    }
    std::string user, password;
    for (const std::string_view line : split(output, '\n')) {
        if (line.starts_with("username=")) user = line.substr(9);
        if (line.starts_with("password=")) password = line.substr(9);
    }
    if (password.empty()) return std::nullopt;
    return Login{std::move(user), Secret{std::move(password)}, "git's credential helper"};
}

std::optional<Login> Logins::ask(From from) {
    switch (from) {
        case From::token:
            return from_token();
        case From::netrc:
            return from_netrc();
        case From::helper:
            return from_helper();
        case From::nowhere:
            break;
    }
    return std::nullopt;
}

std::optional<Login> Logins::next(int status) {
    // Some servers say of a private repository that it is not there. Nobody but git's own question
    // (401) wakes a helper.
    if (status != 401 && status != 403 && status != 404) return std::nullopt;
    while (turn_ != From::nowhere) {
        if (turn_ == From::helper && status != 401) return std::nullopt;
        const From turn = turn_;
        turn_ = static_cast<From>(static_cast<int>(turn) + 1);
        if (turn != From::token) {
            if (network_.stored_logins == Network::StoredLogins::ignore) continue;
            is_withheld_ |= !may_carry_token(repository_, network_.http.options());
            if (is_withheld_) continue;
        }
        if (auto login = ask(turn)) {
            tried_.push_back(login->from);
            return login;
        }
        lacking_.push_back(turn == From::token   ? token_name(repository_.host) + " in secrets"
                           : turn == From::netrc ? "~/.netrc"
                                                 : "git's credential helpers");
    }
    return std::nullopt;
}

std::string Logins::told() const {
    std::string text = fmt::format("tried {}", fmt::join(tried_, ", "));
    if (is_withheld_)
        text += "; no login goes over plain http, unless --insecure-http allows it";
    else if (!lacking_.empty())
        text += fmt::format("; there is none for {} in {}", repository_.host,
                            fmt::join(lacking_, ", "));
    return text;
}

}  // namespace podctl::git
