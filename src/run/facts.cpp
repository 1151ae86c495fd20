#include "facts.hpp"

#include "podctl/base/json.hpp"
#include "podctl/base/names.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace podctl::run {
namespace {

using nlohmann::json;

// No folder's name holds it.
constexpr char between_packs = '/';
constexpr char between_folders = '\n';

// A pack's or a model's files with their times are one fact.
constexpr JsonLimits fact_limits{.bytes = 64u << 20, .values = 3'000'000, .members = 1'000'000};

// Paths need not be UTF-8.
std::string json_text(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

template <class Number>
std::string number_text(const std::optional<Number>& value) {
    return value ? std::to_string(*value) : std::string{};
}

template <class Number>
bool read_number(std::string_view text, Number& value) {
    const auto* end = text.data() + text.size();
    Number number{};
    const auto [at, failed] = std::from_chars(text.data(), end, number);
    if (failed != std::errc{} || at != end) return false;
    value = number;
    return true;
}

template <class Number>
bool read_number(std::string_view text, std::optional<Number>& value) {
    Number number{};
    if (!read_number(text, number)) return false;
    value = number;
    return true;
}

// Those of an object that are texts.
Facts facts_of_object(const json& object) {
    Facts facts;
    for (const auto& [name, value] : object.items())
        if (value.is_string()) facts[name] = value;
    return facts;
}

json json_of(const FileFacts& file) {
    return file.is_member() ? json(*file.size) : json(to_facts(file));
}

std::optional<FileFacts> file_in(const json& value) {
    if (value.is_number_unsigned()) return FileFacts{.size = value.get<std::uint64_t>()};
    if (!value.is_object()) return std::nullopt;
    auto file = from_facts<FileFacts>(facts_of_object(value));
    // Half a stamp agrees with nothing.
    if (!file.size || !file.mtime_ns) file.size = file.mtime_ns = {};
    return file;
}

std::optional<ListedFile> listed_in(const json& value) {
    const bool is_whole = value.is_array() && value.size() == 4 && value[0].is_string() &&
                          value[1].is_number_unsigned() && value[2].is_string() &&
                          value[3].is_string();
    if (!is_whole) return std::nullopt;
    return ListedFile{.path = value[0], .size = value[1], .sha256 = value[2], .git_blob = value[3]};
}

}  // namespace

std::string text_of_packs(const std::set<std::string>& packs) {
    return fmt::format("{}", fmt::join(packs, std::string_view{&between_packs, 1}));
}

std::set<std::string> packs_of_text(std::string_view text) {
    if (text.empty()) return {};
    const auto names = split(text, between_packs);
    return {names.begin(), names.end()};
}

std::string text_of_folders(const std::vector<std::filesystem::path>& folders) {
    std::string text;
    for (const auto& folder : folders)
        text += (text.empty() ? "" : std::string{between_folders}) + folder.string();
    return text;
}

std::string FactWriter::text(const std::optional<std::uint64_t>& value) {
    return number_text(value);
}

std::string FactWriter::text(const std::optional<std::int64_t>& value) {
    return number_text(value);
}

std::string FactWriter::text(const std::optional<FileStamp>& value) {
    return value ? fmt::format("{}:{}", value->size, value->mtime_ns) : "none";
}

std::string FactWriter::text(const std::vector<std::string>& values) {
    return json_text(values);
}

std::string FactWriter::text(const std::optional<std::vector<ListedFile>>& files) {
    if (!files) return {};
    auto list = json::array();
    for (const auto& [path, size, sha256, git_blob] : *files)
        list.push_back({path, size, sha256, git_blob});
    return json_text(list);
}

std::string FactWriter::text(const Manifest& files) {
    auto object = json::object();
    for (const auto& [path, stamp] : files)
        object[path] = {stamp.size, stamp.mtime_ns};
    return json_text(object);
}

std::string FactWriter::text(const FilesFacts& files) {
    auto object = json::object();
    for (const auto& [path, file] : files)
        object[path] = json_of(file);
    return json_text(object);
}

const std::string& FactReader::of(const char* name) const {
    static const std::string none;
    const auto it = facts_.find(name);
    return it == facts_.end() ? none : it->second;
}

bool FactReader::read(const std::string& text, std::string& value) {
    value = text;
    return true;
}

bool FactReader::read(const std::string& text, std::filesystem::path& value) {
    value = text;
    return true;
}

bool FactReader::read(const std::string& text, int& value) {
    return read_number(text, value);
}

bool FactReader::read(const std::string& text, long long& value) {
    return read_number(text, value);
}

bool FactReader::read(const std::string& text, std::optional<std::uint64_t>& value) {
    return read_number(text, value);
}

bool FactReader::read(const std::string& text, std::optional<std::int64_t>& value) {
    return read_number(text, value);
}

bool FactReader::read(const std::string& text, std::optional<FileStamp>& value) {
    if (text == "none") return true;
    const auto colon = std::min(text.find(':'), text.size());
    FileStamp stamp;
    const std::string_view view{text};
    if (!read_number(view.substr(0, colon), stamp.size) ||
        !read_number(view.substr(std::min(colon + 1, view.size())), stamp.mtime_ns))
        return false;
    value = stamp;
    return true;
}

bool FactReader::read(const std::string& text, std::set<std::string>& packs) {
    packs = packs_of_text(text);
    return true;
}

bool FactReader::read(const std::string& text, std::vector<std::filesystem::path>& folders) {
    const auto names = split(text, between_folders);
    folders = {names.begin(), names.end()};
    return true;
}

bool FactReader::read(const std::string& text, std::vector<std::string>& values) {
    const auto list = parse_json(text, fact_limits);
    if (!list || !list->is_array()) return false;
    if (!std::ranges::all_of(*list, [](const json& it) { return it.is_string(); })) return false;
    values = list->get<std::vector<std::string>>();
    return true;
}

bool FactReader::read(const std::string& text, std::optional<std::vector<ListedFile>>& files) {
    const auto list = parse_json(text, fact_limits);
    if (!list || !list->is_array()) return false;
    std::vector<ListedFile> all;
    for (const auto& value : *list) {
        auto file = listed_in(value);
        if (!file) return false;
        all.push_back(std::move(*file));
    }
    files = std::move(all);
    return true;
}

bool FactReader::read(const std::string& text, Manifest& files) {
    const auto object = parse_json(text, fact_limits);
    if (!object || !object->is_object()) return false;
    for (const auto& [path, stamp] : object->items())
        if (stamp.is_array() && stamp.size() == 2 && stamp[0].is_number() && stamp[1].is_number())
            files[path] = {stamp[0], stamp[1]};
    return true;
}

bool FactReader::read(const std::string& text, FilesFacts& files) {
    const auto object = parse_json(text, fact_limits);
    if (!object || !object->is_object()) return false;
    for (const auto& [path, value] : object->items())
        if (auto file = file_in(value)) files[path] = std::move(*file);
    return true;
}

}  // namespace podctl::run
