#pragma once

#include "podctl/template/template.hpp"

#include "rows.hpp"

#include <string>
#include <vector>

// The keys of a template, a row each. keys.cpp has the template's own and those of services,
// keys_pod.cpp and keys_comfyui.cpp those of the other sections.
namespace podctl::tmpl {

template <>
const Table<Pod>& keys_of();
template <>
const Table<Repository>& keys_of();
template <>
const Table<Python>& keys_of();
template <>
const Table<ComfyUi>& keys_of();
template <>
const Table<Model>& keys_of();
template <>
const Table<CustomNode>& keys_of();
template <>
const Table<Template>& keys_of();

// What the rows alone do not say: names that are made of others, entries of the catalog.
void read(const Value& value, const Type& type, Repository& to);
void read(const Value& value, const Type& type, Model& to);
void read(const Value& list, const Type& type, std::vector<Model>& to);
void read(const Value& value, const Type& type, CustomNode& to);

inline Typed<std::uint16_t> port() {
    return integer<std::uint16_t>(1, 65535);
}
inline Typed<std::vector<std::string>> command() {
    return list(text());
}
inline Typed<std::vector<std::string>> requirements() {
    return list(string(formats::requirement));
}
inline Typed<std::vector<std::string>> env_names() {
    return list(string(formats::env_name));
}
inline Typed<Map> environment() {
    return map(formats::env_name, text());
}

}  // namespace podctl::tmpl
