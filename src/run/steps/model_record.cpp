#include "model_record.hpp"

#include "podctl/base/file.hpp"

#include <algorithm>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;

bool agrees(const std::optional<FileStamp>& stamp, const FileFacts& facts) {
    return stamp && facts.size == stamp->size && facts.mtime_ns == stamp->mtime_ns;
}

// Of an archive's files the size alone is known.
bool agrees_as_part(const std::optional<FileStamp>& stamp, const FileFacts& facts) {
    return facts.is_member() ? stamp && facts.size == stamp->size : agrees(stamp, facts);
}

}  // namespace

std::optional<KnownFile> known_file(const Task& task) {
    if (!task.record) return std::nullopt;
    auto facts = from_facts<ModelFacts>(task.record->facts);
    return KnownFile{std::move(facts.path), std::move(facts.file), task.same_fingerprint()};
}

FileFacts facts_of(const plan::FetchModel& model, const std::string& sha256) {
    const auto stamp = file_stamp(model.target).value_or(FileStamp{});
    return {.size = stamp.size,
            .mtime_ns = stamp.mtime_ns,
            .sha256 = sha256,
            .pickle_allowed = model.allow_pickle};
}

FileFacts found_facts(const plan::FetchModel& model, const std::string& sha256,
                      const std::optional<KnownFile>& known) {
    auto facts = facts_of(model, sha256);
    facts.found = !known || known->facts.found;
    return facts;
}

bool stamp_agrees(const fs::path& file, const KnownFile& known) {
    return known.path == file && agrees(file_stamp(file), known.facts);
}

bool is_as_recorded(const fs::path& file, const KnownFile& known, const std::string& sha256) {
    return stamp_agrees(file, known) || (known.path == file && known.facts.sha256 == sha256);
}

bool members_agree(const plan::FetchModel& model, const ModelFacts& facts) {
    return !facts.files.empty() && std::ranges::all_of(facts.files, [&](const auto& member) {
        return agrees_as_part(file_stamp(model.target / member.first), member.second);
    });
}

std::vector<LeftFile> left_files(const ModelFacts& facts) {
    std::vector<LeftFile> left;
    if (facts.path.empty()) return left;
    if (const auto stamp = file_stamp(facts.path); agrees(stamp, facts.file) && !facts.file.found)
        left.push_back({facts.path, facts.path.filename(), stamp->size});
    for (const auto& [name, known] : facts.files) {
        const auto stamp = file_stamp(facts.path / name);
        if (agrees_as_part(stamp, known) && !known.found)
            left.push_back({facts.path / name, name, stamp->size});
    }
    return left;
}

}  // namespace podctl::run
