#include "podctl/base/json_fields.hpp"

#include <nlohmann/json.hpp>

#include <charconv>

namespace podctl {

using nlohmann::json;

const json* member(const json& object, std::string_view key) {
    if (!object.is_object()) return nullptr;
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
}

std::string text_at(const json& object, std::string_view key) {
    const auto* value = member(object, key);
    return value && value->is_string() ? value->get<std::string>() : std::string();
}

const json& list_at(const json& object, std::string_view key) {
    static const json none = json::array();
    const auto* value = member(object, key);
    return value && value->is_array() ? *value : none;
}

const json& object_at(const json& object, std::string_view key) {
    static const json none = json::object();
    const auto* value = member(object, key);
    return value && value->is_object() ? *value : none;
}

std::string id_text(const json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number_integer()) return value.dump();
    return {};
}

std::string id_at(const json& object, std::string_view key) {
    const auto* value = member(object, key);
    return value ? id_text(*value) : std::string();
}

std::optional<std::size_t> index_of(const json& value) {
    const auto text = id_text(value);
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return index;
}

std::string plain_text(const json& value) {
    if (value.is_string()) return value.get<std::string>();
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace podctl
