#pragma once

#include "podctl/hub/civitdl.hpp"

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace podctl::download {

struct CivitdlMetadataReport {
    std::vector<std::filesystem::path> written = {};  // not those that were there already
    std::vector<std::string> warnings = {};
};

// Writes what civitdl writes beside a model file (CivitdlMetadata), into `folder`, where the file
// is. Each is written atomically; one that is there with the same bytes is kept, another replaced.
// An image that cannot be had is a warning. No token is sent for an image. Throws as
// ask_civitdl_metadata() does, and Error{io}.
CivitdlMetadataReport save_civitdl_metadata(const hub::ResolvedFile& file,
                                            const std::filesystem::path& folder,
                                            const hub::CivitdlMetadataOptions& options,
                                            http::Client& http, const Mirrors& mirrors,
                                            const http::RetryPolicy& retry, std::stop_token stop);

}  // namespace podctl::download
