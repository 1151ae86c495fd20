#pragma once

#include "../context.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

// What the journal knows of the files that a model became.
namespace podctl::run {

// One of them: of a model by itself, or of a folder's.
struct KnownFile {
    std::filesystem::path path;
    FileFacts facts = {};
    bool is_asked_for = false;  // it was recorded for just what the template asks for now
};

// Of a step that is one file; nullopt: it has no record.
std::optional<KnownFile> known_file(const Task& task);

// Of a file that stands at its target.
FileFacts facts_of(const plan::FetchModel& model, const std::string& sha256);

// Of one that stood there before podctl knew of it: it stays the user's when no template names it
// any more.
FileFacts found_facts(const plan::FetchModel& model, const std::string& sha256,
                      const std::optional<KnownFile>& known);

// The file is the recorded one by size and time.
bool stamp_agrees(const std::filesystem::path& file, const KnownFile& known);
// The same, or by its content: a copy of the volume may have other times, which make no other file.
bool is_as_recorded(const std::filesystem::path& file, const KnownFile& known,
                    const std::string& sha256);
// All of an archive's files are there, by size.
bool members_agree(const plan::FetchModel& model, const ModelFacts& facts);

// What a model left here, as far as it stands as podctl left it.
struct LeftFile {
    std::filesystem::path path;
    std::string name;  // within the folder that the model became, or the file's own
    std::uint64_t size = 0;
};
std::vector<LeftFile> left_files(const ModelFacts& facts);

}  // namespace podctl::run
