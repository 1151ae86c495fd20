#pragma once

#include "podctl/base/units.hpp"

#include "../output.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

// What the tables of event_tables*.cpp are written in. A row is a field of a JSON event: its name,
// where its value comes from, and what it means. The lines that are printed, their JSON Schema
// (docs/events.schema.json) and their page (docs/events.md) all come from the rows, so that none of
// them can know a field that another does not.
namespace podctl::cli {

using Json = nlohmann::ordered_json;

enum class FieldKind { text, boolean, integer, number, time, word, list, map, object };

struct FieldShape;
using ObjectShape = std::vector<FieldShape>;

struct FieldType {
    FieldKind kind = FieldKind::text;
    std::string unit = {};                          // of a number: "bytes"; empty: it counts
    std::vector<std::string> words = {};            // of a word
    std::shared_ptr<const FieldType> element = {};  // of a list, or of what a map's names lead to
    const ObjectShape* shape = nullptr;             // of an object
    bool may_be_null = false;
};

// Whether a field that is not known is null, or not there at all.
enum class Unknown { null, left_out };

struct FieldShape {
    std::string name;
    FieldType type;
    std::string meaning;
    Unknown unknown = Unknown::null;
};

// Text that is empty where there is nothing to say.
inline std::optional<std::string> said(const std::string& text) {
    return text.empty() ? std::nullopt : std::optional{text};
}

struct BytesPerSecond {
    std::uint64_t count = 0;
};

// The words of an enum, in its order; defined once for each that a row has.
template <typename E>
const std::vector<std::string>& words_of();

// Those of an enum whose enumerators end with `last`.
template <typename E, typename WordOf>
std::vector<std::string> words_up_to(E last, WordOf word_of) {
    std::vector<std::string> words;
    for (int i = 0; i <= static_cast<int>(last); ++i)
        words.emplace_back(word_of(static_cast<E>(i)));
    return words;
}

// The fields of a struct, defined once for each that a row has.
template <typename S>
class Fields;
template <typename S>
const Fields<S>& fields_of();

// What a C++ type is in JSON.
template <typename T>
FieldType field_type();
template <typename T>
Json field_json(const T& value);

template <typename T>
inline constexpr bool is_optional = false;
template <typename T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <typename T>
inline constexpr bool is_list = false;
template <typename T>
inline constexpr bool is_list<std::vector<T>> = true;

template <typename T>
concept Text = std::convertible_to<T, std::string_view> || std::same_as<T, std::filesystem::path>;
using TextMap = std::map<std::string, std::string>;
using TimePoint = std::chrono::system_clock::time_point;

template <typename T>
FieldType field_type() {
    if constexpr (is_optional<T>) {
        auto type = field_type<typename T::value_type>();
        type.may_be_null = true;
        return type;
    } else if constexpr (is_list<T>) {
        return {.kind = FieldKind::list,
                .element = std::make_shared<const FieldType>(field_type<typename T::value_type>())};
    } else if constexpr (std::same_as<T, TextMap>) {
        return {.kind = FieldKind::map,
                .element = std::make_shared<const FieldType>(field_type<std::string>())};
    } else if constexpr (Text<T>) {
        return {.kind = FieldKind::text};
    } else if constexpr (std::same_as<T, bool>) {
        return {.kind = FieldKind::boolean};
    } else if constexpr (std::integral<T>) {
        return {.kind = FieldKind::integer};
    } else if constexpr (std::same_as<T, Bytes>) {
        return {.kind = FieldKind::integer, .unit = "bytes"};
    } else if constexpr (std::same_as<T, BytesPerSecond>) {
        return {.kind = FieldKind::integer, .unit = "bytes a second"};
    } else if constexpr (std::same_as<T, std::chrono::seconds>) {
        return {.kind = FieldKind::integer, .unit = "seconds"};
    } else if constexpr (std::same_as<T, std::chrono::milliseconds>) {
        return {.kind = FieldKind::number, .unit = "seconds"};
    } else if constexpr (std::same_as<T, TimePoint>) {
        return {.kind = FieldKind::time};
    } else if constexpr (std::is_enum_v<T>) {
        return {.kind = FieldKind::word, .words = words_of<T>()};
    } else {
        return {.kind = FieldKind::object, .shape = &fields_of<T>().shape()};
    }
}

// A field of what is an S.
template <typename S>
struct Row {
    // `get` is a member of S, or a function of one.
    template <typename Get>
    Row(std::string name, Get get, std::string meaning, Unknown unknown = Unknown::null)
        : shape{std::move(name),
                field_type<std::remove_cvref_t<std::invoke_result_t<Get, const S&>>>(),
                std::move(meaning), unknown},
          json{[get](const S& it) { return field_json(std::invoke(get, it)); }} {}
    // For what no C++ type tells.
    Row(FieldShape told, std::function<Json(const S&)> get)
        : shape{std::move(told)}, json{std::move(get)} {}

    FieldShape shape;
    std::function<Json(const S&)> json;
};

template <typename S>
using Rows = std::vector<Row<S>>;

template <typename S>
Rows<S> joined(Rows<S> first, const Rows<S>& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

template <typename S>
class Fields {
public:
    explicit Fields(Rows<S> rows) : rows_{std::move(rows)} {
        for (const auto& row : rows_)
            shape_.push_back(row.shape);
    }

    const ObjectShape& shape() const { return shape_; }
    void write(const S& it, Json& to) const {
        for (const auto& row : rows_) {
            Json value = row.json(it);
            if (!value.is_null() || row.shape.unknown == Unknown::null)
                to[row.shape.name] = std::move(value);
        }
    }

private:
    Rows<S> rows_;
    ObjectShape shape_;
};

template <typename T>
Json field_json(const T& value) {
    if constexpr (is_optional<T>) {
        return value ? field_json(*value) : Json(nullptr);
    } else if constexpr (is_list<T>) {
        Json list = Json::array();
        for (const auto& item : value)
            list.push_back(field_json(item));
        return list;
    } else if constexpr (std::same_as<T, TextMap>) {
        Json map = Json::object();
        for (const auto& [name, text] : value)
            map[name] = text;
        return map;
    } else if constexpr (std::same_as<T, std::filesystem::path>) {
        return value.string();
    } else if constexpr (std::same_as<T, Bytes> || std::same_as<T, BytesPerSecond>) {
        return value.count;
    } else if constexpr (std::same_as<T, std::chrono::seconds>) {
        return value.count();
    } else if constexpr (std::same_as<T, std::chrono::milliseconds>) {
        return static_cast<double>(value.count()) / 1000;
    } else if constexpr (std::same_as<T, TimePoint>) {
        return utc_time(value);
    } else if constexpr (std::is_enum_v<T>) {
        return words_of<T>().at(static_cast<std::size_t>(value));
    } else if constexpr (std::integral<T> || Text<T>) {
        return value;
    } else {
        Json object = Json::object();
        fields_of<T>().write(value, object);
        return object;
    }
}

// An event's name, the commands that print it, and what it says.
struct EventName {
    std::string name, by, meaning;
};

// A kind of event as schema and page see it: all but `time` and `event`, which every one has.
struct EventShape {
    EventName is;
    const ObjectShape* fields = nullptr;
};

// The events that tell an S: one, or some with the same fields.
template <typename S>
class EventTable {
public:
    EventTable(EventName name, Rows<S> rows)
        : EventTable{{std::move(name)}, [](const S&) { return std::size_t{0}; }, std::move(rows)} {}
    // `which` is the place in `names` of the one that tells it.
    EventTable(std::vector<EventName> names, std::function<std::size_t(const S&)> which,
               Rows<S> rows)
        : names_{std::move(names)}, which_{std::move(which)}, fields_{std::move(rows)} {}

    Json json(const S& it, const std::string& time) const {
        Json line{{"time", time}, {"event", names_.at(which_(it)).name}};
        fields_.write(it, line);
        return line;
    }
    void list(std::vector<EventShape>& to) const {
        for (const auto& name : names_)
            to.push_back({name, &fields_.shape()});
    }

private:
    std::vector<EventName> names_;
    std::function<std::size_t(const S&)> which_;
    Fields<S> fields_;
};

// Defined once for each type of events.hpp's list.
template <typename S>
const EventTable<S>& event_table();

}  // namespace podctl::cli
