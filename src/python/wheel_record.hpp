#pragma once

#include <filesystem>
#include <stop_token>
#include <string>

namespace podctl::python {

// A file's digest as RECORD has it (PEP 376): base64 for URLs, without padding. Throws as
// sha256_file().
std::string record_digest(const std::filesystem::path& file, std::stop_token stop = {});

}  // namespace podctl::python
