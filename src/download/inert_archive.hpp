#pragma once

#include "podctl/download/inert.hpp"

#include "file_bytes.hpp"

#include <filesystem>
#include <stop_token>
#include <string_view>

namespace podctl::download {

struct Judging {
    std::filesystem::path folder = {};  // for temporary files
    std::stop_token stop = {};
    int depth = 0;  // archives in archives
};

// As judge(), of a file that is open.
Verdict judge_content(const FileBytes& file, std::string_view name, const Judging& judging);

// By the marks of zip, tar and the compressions.
bool looks_like_archive(const FileBytes& file);

// Inert when every member is: each is judged by its own name and content. One that is too deep, too
// large, encrypted or damaged is unknown. Throws Error{io | interrupted}.
Verdict judge_archive(const FileBytes& file, std::string_view name, const Judging& judging);

}  // namespace podctl::download
