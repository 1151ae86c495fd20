#include "podctl/base/json.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace podctl {
namespace {

using nlohmann::json;

// "[json.exception.parse_error.101] parse error at line 1, column 6: …; last read: '…'". What was
// read last is the other side's text.
std::string words_of(const json::exception& error) {
    constexpr int number_overflow = 406;
    if (error.id == number_overflow) return "number overflow";  // with its digits, all of them
    std::string_view what = error.what();
    what.remove_prefix(std::min(what.find(']') + 1, what.size()));
    what = what.substr(0, what.find("; last read"));
    while (what.starts_with(' '))
        what.remove_prefix(1);
    return std::string(what);
}

// Walks a text without building anything. Each returns false to end the walk.
class BoundedWalk : public nlohmann::json_sax<json> {
public:
    bool null() override { return value(); }
    bool boolean(bool) override { return value(); }
    bool number_integer(json::number_integer_t) override { return value(); }
    bool number_unsigned(json::number_unsigned_t) override { return value(); }
    bool number_float(json::number_float_t, const std::string&) override { return value(); }
    bool string(std::string&) override { return value(); }
    bool binary(json::binary_t&) override { return value(); }
    bool start_object(std::size_t) override { return value() && descend(); }
    bool start_array(std::size_t) override { return value() && descend(); }
    bool end_object() override { return ascend(); }
    bool end_array() override { return ascend(); }

private:
    virtual bool value() = 0;
    virtual bool descend() = 0;
    virtual bool ascend() = 0;
};

class Check : public BoundedWalk {
public:
    explicit Check(const JsonLimits& limits) : limits_(limits) {}

    std::string take_fault() { return std::move(fault_); }

    bool key(std::string&) override {
        if (++members_.back() <= limits_.members) return true;
        return refuse(fmt::format("too large: more than {} members of an object", limits_.members));
    }
    bool parse_error(std::size_t, const std::string&, const json::exception& error) override {
        return refuse("not JSON: " + words_of(error));
    }

private:
    bool refuse(std::string fault) {
        if (fault_.empty()) fault_ = std::move(fault);
        return false;
    }
    bool value() override {
        if (++values_ <= limits_.values) return true;
        return refuse(fmt::format("too large: more than {} values", limits_.values));
    }
    bool descend() override {
        members_.push_back(0);
        if (members_.size() <= limits_.depth) return true;
        return refuse(fmt::format("nested too deeply: more than {} levels", limits_.depth));
    }
    bool ascend() override {
        members_.pop_back();
        return true;
    }

    const JsonLimits& limits_;
    std::size_t values_ = 0;
    std::vector<std::size_t> members_;  // of each array (none) and object that is open
    std::string fault_;
};

class Names : public BoundedWalk {
public:
    std::optional<std::string> repeated = {};

    bool key(std::string& name) override {
        if (depth_ == 1 && !seen_.insert(name).second) repeated = name;
        return !repeated;
    }
    bool parse_error(std::size_t, const std::string&, const json::exception&) override {
        return false;
    }

private:
    bool value() override { return true; }
    bool descend() override {
        ++depth_;
        return true;
    }
    bool ascend() override {
        --depth_;
        return true;
    }

    std::size_t depth_ = 0;
    std::set<std::string> seen_;
};

template <class Json>
std::optional<Json> parse(std::string_view text, const JsonLimits& limits) {
    if (!json_fault(text, limits).empty()) return std::nullopt;
    auto value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (value.is_discarded()) return std::nullopt;
    return std::optional<Json>{std::move(value)};
}

bool is_word_of_python(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.';
}

std::string without_nan(std::string_view text) {
    std::string made;
    for (std::size_t i = 0; i < text.size();) {
        if (text[i] == '"') {
            const auto begin = i++;
            while (i < text.size() && text[i] != '"')
                i += text[i] == '\\' ? 2 : 1;
            i = std::min(i + 1, text.size());
            made += text.substr(begin, i - begin);
            continue;
        }
        std::size_t length = 0;
        for (const std::string_view token : {"-Infinity", "Infinity", "NaN"})
            if (text.substr(i).starts_with(token)) length = token.size();
        const bool begins = i == 0 || (!is_word_of_python(text[i - 1]) && text[i - 1] != '-');
        const bool ends = i + length >= text.size() || !is_word_of_python(text[i + length]);
        if (length != 0 && begins && ends) {
            made += "null";
            i += length;
        } else {
            made += text[i++];
        }
    }
    return made;
}

}  // namespace

std::string json_fault(std::string_view text, const JsonLimits& limits) {
    if (text.size() > limits.bytes)
        return fmt::format("too large: more than {} bytes", limits.bytes);
    Check check{limits};
    if (json::sax_parse(text, &check)) return {};
    std::string fault = check.take_fault();
    return fault.empty() ? "not JSON" : fault;
}

std::optional<std::string> repeated_member(std::string_view text) {
    Names names;
    json::sax_parse(text, &names);
    return names.repeated;
}

std::optional<nlohmann::json> parse_python_json(std::string_view text, const JsonLimits& limits) {
    if (auto parsed = parse_json(text, limits)) return parsed;
    // What has none of them is not looked at twice.
    const bool may_have_nan = text.find("NaN") != text.npos || text.find("Infinity") != text.npos;
    if (!may_have_nan || text.size() > limits.bytes) return std::nullopt;
    return parse_json(without_nan(text), limits);
}

std::optional<nlohmann::json> parse_json(std::string_view text, const JsonLimits& limits) {
    return parse<nlohmann::json>(text, limits);
}

std::optional<nlohmann::ordered_json> parse_ordered_json(std::string_view text,
                                                         const JsonLimits& limits) {
    return parse<nlohmann::ordered_json>(text, limits);
}

}  // namespace podctl
