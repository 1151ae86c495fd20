#pragma once

#include "podctl/base/secret.hpp"
#include "podctl/git/git.hpp"

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace podctl::git {

// Who asks, and how errors call where that is from.
struct Login {
    std::string user;
    Secret password;
    std::string from;

    std::string header() const;  // the value of Authorization
};

// The login that stands in an http URL; nullopt: none.
std::optional<Login> login_in(const Url& url);

// The logins for one repository, each tried once, and only after a server refused what came before:
// a token that is for its origin, ~/.netrc, and what git's credential helpers know. A stale token
// so keeps nobody from a public repository. None of them ever asks a person.
class Logins {
public:
    // `first`: what is tried before; if it stands in the URL, stored logins have to be for its
    // user.
    Logins(Url repository, const std::optional<Login>& first, const Network& network,
           std::stop_token stop);

    // After an answer of that status; nullopt: it is no question of logins, or nobody knows more.
    std::optional<Login> next(int status);
    // What was tried and what was not, for an error's hint.
    std::string told() const;

private:
    enum class From { token, netrc, helper, nowhere };

    std::optional<Login> ask(From from);
    std::optional<Login> from_token();
    std::optional<Login> from_netrc();
    std::optional<Login> from_helper() const;

    const Url repository_;
    const std::string user_;
    const Network network_;
    const std::stop_token stop_;
    From turn_ = From::token;
    bool is_withheld_ = false;
    std::vector<std::string> tried_, lacking_;
};

}  // namespace podctl::git
