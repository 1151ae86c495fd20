#pragma once

#include "../context.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

// What the journal knows of the files that a model became.
namespace podctl::run {

// Of one file, which stands at its target.
Facts facts_of(const plan::FetchModel& model, const std::string& sha256);

// Of one that stood there before podctl knew of it: it stays the user's when no template names it
// any more.
Facts found_facts(const plan::FetchModel& model, const std::string& sha256, const Task& task);

// The file is the recorded one by size and time.
bool stamp_agrees(const std::filesystem::path& file, const Record& record);
// The same, or by its content: a copy of the volume may have other times, which make no other file.
bool is_as_recorded(const std::filesystem::path& file, const Record& record,
                    const std::string& sha256);

// Of an archive: that of its files which it left in the folder, by their paths there. And whether
// all of them are there, by size.
std::string fact_of_unpacked(const std::vector<std::pair<std::string, std::uint64_t>>& sizes);
bool unpacked_agrees(const plan::FetchModel& model, const Record& record);

// Of a folder: what facts_of() says of each of its files, by their paths in it.
using FilesFacts = std::map<std::string, Facts>;
std::string fact_of_files(const FilesFacts& files);
FilesFacts files_facts(const Record& record);
// The record without what it says of these.
Record without_files(Record record, const std::vector<std::string>& paths);

// What a model left here, as far as it stands as podctl left it: of any of the three.
struct LeftFile {
    std::filesystem::path path;
    std::string name;  // within the folder that the model became, or the file's own
    std::uint64_t size = 0;
};
std::vector<LeftFile> left_files(const Record& record);

}  // namespace podctl::run
