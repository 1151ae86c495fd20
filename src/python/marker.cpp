#include "marker.hpp"

#include "podctl/base/names.hpp"

#include <sys/utsname.h>

#include <cctype>
#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace podctl::python {

namespace {

std::optional<std::string> value_here(std::string_view variable) {
    if (variable == "sys_platform" || variable == "sys.platform") return "linux";
    if (variable == "os_name" || variable == "os.name") return "posix";
    if (variable == "platform_system") return "Linux";
    if (variable == "platform_machine" || variable == "platform.machine") {
        utsname names{};
        if (::uname(&names) == 0) return names.machine;
    }
    return std::nullopt;
}

std::vector<std::string> tokens_of(std::string_view text) {
    std::vector<std::string> tokens;
    std::size_t at = 0;
    const auto take = [&](std::size_t length) {
        tokens.emplace_back(text.substr(at, length));
        at += length;
    };
    while (at < text.size()) {
        const char c = text[at];
        if (std::isspace(static_cast<unsigned char>(c)) != 0) {
            ++at;
        } else if (c == '(' || c == ')') {
            take(1);
        } else if (c == '"' || c == '\'') {
            const auto close = text.find(c, at + 1);
            take(close == std::string_view::npos ? text.size() - at : close + 1 - at);
        } else {
            const std::string_view stop =
                std::string_view{"<>=!~"}.find(c) == std::string_view::npos
                    ? " \t()'\"<>=!~"
                    : " \t()'\"abcdefghijklmnopqrstuvwxyz";
            const auto end = text.find_first_of(stop, at + 1);
            take((end == std::string_view::npos ? text.size() : end) - at);
        }
    }
    return tokens;
}

// 3, 11, 7 of "3.11.7"; a number that none is counts as 0.
std::vector<int> numbers_in(std::string_view version) {
    std::vector<int> numbers;
    if (version.empty()) return numbers;
    for (const std::string& part : split(version, '.')) {
        int number = 0;
        std::from_chars(part.data(), part.data() + part.size(), number);
        numbers.push_back(number);
    }
    return numbers;
}

class Evaluator {
public:
    Evaluator(std::vector<std::string> tokens, std::string_view python)
        : tokens_(std::move(tokens)), python_(numbers_in(python)) {}

    bool alternatives() {
        bool holds = conjunction();
        while (accept("or"))
            holds = conjunction() || holds;
        return holds;
    }

private:
    bool conjunction() {
        bool holds = term();
        while (accept("and"))
            holds = term() && holds;
        return holds;
    }

    bool term() {
        if (accept("(")) {
            const bool holds = alternatives();
            accept(")");
            return holds;
        }
        const std::string left = next(), comparison = next();
        if (comparison == "not") {
            next();  // in
            return comparable(left, next(), [](const auto& a, const auto& b) {
                return b.find(a) == std::string::npos;
            });
        }
        const std::string right = next();
        if (left.starts_with("python_") || right.starts_with("python_"))
            return python_fits(left, comparison, right);
        if (comparison == "==") return comparable(left, right, std::equal_to<>{});
        if (comparison == "!=") return comparable(left, right, std::not_equal_to<>{});
        if (comparison == "in") {
            return comparable(left, right, [](const auto& a, const auto& b) {
                return b.find(a) != std::string::npos;
            });
        }
        return true;
    }

    // Of python_version the first two numbers count.
    bool python_fits(const std::string& left, const std::string& comparison,
                     const std::string& right) const {
        const bool is_first = left.starts_with("python_");
        const std::string& variable = is_first ? left : right;
        const auto given = value(is_first ? right : left);
        if (python_.empty() || !given || given->find_first_not_of("0123456789.") != given->npos)
            return true;
        auto here = python_, wanted = numbers_in(*given);
        if (variable == "python_version") here.resize(2);
        wanted.resize(here.size());
        if (!is_first) std::swap(here, wanted);
        if (comparison == "==" || comparison == "===") return here == wanted;
        if (comparison == "!=") return here != wanted;
        if (comparison == "<") return here < wanted;
        if (comparison == "<=") return here <= wanted;
        if (comparison == ">") return here > wanted;
        if (comparison == ">=") return here >= wanted;
        return true;
    }

    template <class Compare>
    static bool comparable(const std::string& left, const std::string& right, Compare compare) {
        const auto a = value(left), b = value(right);
        return !a || !b || compare(*a, *b);
    }

    static std::optional<std::string> value(const std::string& token) {
        const bool quoted = token.size() >= 2 && (token.front() == '"' || token.front() == '\'');
        return quoted ? token.substr(1, token.size() - 2) : value_here(token);
    }

    bool accept(std::string_view token) {
        const bool found = at_ < tokens_.size() && tokens_[at_] == token;
        if (found) ++at_;
        return found;
    }

    std::string next() { return at_ < tokens_.size() ? tokens_[at_++] : std::string{}; }

    std::vector<std::string> tokens_;
    std::vector<int> python_;  // its version; empty: any
    std::size_t at_ = 0;
};

}  // namespace

bool marker_may_hold(std::string_view marker, std::string_view version) {
    auto tokens = tokens_of(marker);
    // The nesting is bounded by the text, and the text by what a person writes.
    if (tokens.empty() || tokens.size() > 1000) return true;
    return Evaluator{std::move(tokens), version}.alternatives();
}

}  // namespace podctl::python
