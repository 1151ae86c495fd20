#pragma once

#include "podctl/base/json.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

// Looks into JSON that somebody else wrote: what is absent or of another type is nothing, and no
// exception.
namespace podctl {

// A member of an object; nullptr: there is none.
const nlohmann::json* member(const nlohmann::json& object, std::string_view key);
// A member that is a string; empty: there is none.
std::string text_at(const nlohmann::json& object, std::string_view key);
// A member that is an array or object; an empty one of them otherwise.
const nlohmann::json& list_at(const nlohmann::json& object, std::string_view key);
const nlohmann::json& object_at(const nlohmann::json& object, std::string_view key);
// Ids are numbers in one format, and strings in another; empty: neither.
std::string id_text(const nlohmann::json& value);
std::string id_at(const nlohmann::json& object, std::string_view key);
// A count or an index, also one that was written as a string; nullopt: neither.
std::optional<std::size_t> index_of(const nlohmann::json& value);
// As it stands in JSON, a string without its quotes.
std::string plain_text(const nlohmann::json& value);

}  // namespace podctl
