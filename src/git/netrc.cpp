#include "netrc.hpp"

#include "podctl/base/names.hpp"

namespace podctl::git {
namespace {

constexpr std::string_view blanks = " \t\r\n";

// Words, of which one in quotes may hold blanks; # begins a comment that goes to the line's end.
class NetrcWords {
public:
    explicit NetrcWords(std::string_view text) : rest_(text) {}

    // Empty: that was all.
    std::string next() {
        skip_blanks();
        while (rest_.starts_with('#')) {
            rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
            skip_blanks();
        }
        if (rest_.starts_with('"')) return quoted();
        const auto end = std::min(rest_.find_first_of(blanks), rest_.size());
        std::string word{rest_.substr(0, end)};
        rest_.remove_prefix(end);
        return word;
    }
    // A macro ends with an empty line.
    void skip_macro() {
        const auto end = rest_.find("\n\n");
        rest_.remove_prefix(end == rest_.npos ? rest_.size() : end);
    }

private:
    void skip_blanks() {
        rest_.remove_prefix(std::min(rest_.find_first_not_of(blanks), rest_.size()));
    }
    std::string quoted() {
        std::string word;
        std::size_t at = 1;
        for (; at < rest_.size() && rest_[at] != '"'; ++at) {
            if (rest_[at] == '\\' && at + 1 < rest_.size()) ++at;
            word += rest_[at];
        }
        rest_.remove_prefix(std::min(at + 1, rest_.size()));
        return word;
    }

    std::string_view rest_;
};

}  // namespace

std::optional<NetrcEntry> find_in_netrc(std::string_view text, std::string_view host,
                                        std::string_view user) {
    NetrcWords words{text};
    NetrcEntry entry;
    bool is_for_host = false;
    const auto fits = [&] {
        return is_for_host && !entry.password.empty() && (user.empty() || entry.user == user);
    };
    for (std::string word = words.next(); !word.empty(); word = words.next()) {
        if (word == "machine" || word == "default") {
            if (fits()) return entry;
            entry = {};
            is_for_host = word == "machine" && to_lower(words.next()) == host;
        } else if (word == "login") {
            entry.user = words.next();
        } else if (word == "password") {
            entry.password = words.next();
        } else if (word == "account") {
            words.next();
        } else if (word == "macdef") {
            words.skip_macro();
        }
    }
    return fits() ? std::optional{entry} : std::nullopt;
}

}  // namespace podctl::git
