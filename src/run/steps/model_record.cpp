#include "model_record.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/json.hpp"

#include <nlohmann/json.hpp>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr JsonLimits limits_of_files{.bytes = 64u << 20, .values = 3'000'000, .members = 1'000'000};

std::string text_of(const json& object) {
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

// An object, or nothing.
json files_fact(const Record& record) {
    auto files = parse_json(record.fact("files"), limits_of_files);
    return files && files->is_object() ? std::move(*files) : json::object();
}

Facts facts_in(const json& object) {
    Facts facts;
    for (const auto& [name, value] : object.items())
        if (value.is_string()) facts[name] = value;
    return facts;
}

bool agrees(const std::optional<FileStamp>& stamp, const Facts& facts) {
    const auto is = [&](const char* name, const std::string& value) {
        const auto fact = facts.find(name);
        return fact != facts.end() && fact->second == value;
    };
    return stamp && is("size", std::to_string(stamp->size)) &&
           is("mtime_ns", std::to_string(stamp->mtime_ns));
}

}  // namespace

Facts facts_of(const plan::FetchModel& model, const std::string& sha256) {
    const auto stamp = file_stamp(model.target).value_or(FileStamp{});
    Facts facts{{"path", model.target.string()},
                {"size", std::to_string(stamp.size)},
                {"mtime_ns", std::to_string(stamp.mtime_ns)},
                {"sha256", sha256}};
    // What was brought with the word is looked at again when the word is gone.
    if (model.allow_pickle) facts["pickle"] = "allowed";
    return facts;
}

Facts found_facts(const plan::FetchModel& model, const std::string& sha256, const Task& task) {
    auto facts = facts_of(model, sha256);
    if (!task.record || !task.record->fact("found").empty()) facts["found"] = "yes";
    return facts;
}

bool stamp_agrees(const fs::path& file, const Record& record) {
    return record.fact("path") == file.string() && agrees(file_stamp(file), record.facts);
}

bool is_as_recorded(const fs::path& file, const Record& record, const std::string& sha256) {
    return stamp_agrees(file, record) ||
           (record.fact("path") == file.string() && record.fact("sha256") == sha256);
}

std::string fact_of_unpacked(const std::vector<std::pair<std::string, std::uint64_t>>& sizes) {
    auto files = json::object();
    for (const auto& [path, size] : sizes)
        files[path] = size;
    return text_of(files);
}

bool unpacked_agrees(const plan::FetchModel& model, const Record& record) {
    const auto files = files_fact(record);
    for (const auto& [name, size] : files.items()) {
        const auto stamp = file_stamp(model.target / name);
        if (!stamp || !size.is_number_unsigned() || stamp->size != size.get<std::uint64_t>())
            return false;
    }
    return !files.empty();
}

std::string fact_of_files(const FilesFacts& files) {
    auto object = json::object();
    for (const auto& [path, facts] : files) {
        object[path] = facts;
        object[path].erase("path");  // is known by the folder's
    }
    return text_of(object);
}

FilesFacts files_facts(const Record& record) {
    FilesFacts files;
    const json known = files_fact(record);
    for (const auto& [path, facts] : known.items()) {
        if (!facts.is_object()) continue;
        files[path] = facts_in(facts);
        files[path]["path"] = (fs::path{record.fact("path")} / path).string();
    }
    return files;
}

Record without_files(Record record, const std::vector<std::string>& paths) {
    auto files = files_facts(record);
    for (const auto& path : paths)
        files.erase(path);
    record.facts["files"] = fact_of_files(files);
    return record;
}

std::vector<LeftFile> left_files(const Record& record) {
    const fs::path path = record.fact("path");
    std::vector<LeftFile> left;
    if (path.empty()) return left;
    if (record.fact("files").empty() && stamp_agrees(path, record))
        left.push_back({path, path.filename(), file_stamp(path).value_or(FileStamp{}).size});
    const json files = files_fact(record);
    for (const auto& [name, known] : files.items()) {
        const auto stamp = file_stamp(path / name);
        if (!stamp) continue;
        const bool is_ours = known.is_object()
                                 ? !known.contains("found") && agrees(stamp, facts_in(known))
                                 : known.is_number_unsigned() && stamp->size == known;
        if (is_ours) left.push_back({path / name, name, stamp->size});
    }
    return left;
}

}  // namespace podctl::run
