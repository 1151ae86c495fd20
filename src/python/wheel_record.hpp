#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

// What installers note of what they have installed (PEP 376, PEP 627).
namespace podctl::python {

struct Distribution {
    std::string name;  // normalised
    std::string version;
    std::filesystem::path metadata;  // its .dist-info or .egg-info
};

// foo_bar-1.0.dist-info, foo-1.0-py3.11.egg-info; nullopt: no metadata.
std::optional<Distribution> distribution_at(const std::filesystem::path& path);

// The folders of an environment that packages are installed into.
std::vector<std::filesystem::path> site_packages_of(const std::filesystem::path& environment);

// Takes the next field off a line of RECORD, which is CSV: quoted where it has a comma or a quote
// in it.
std::string take_record_field(std::string_view& line);

// A file's digest as RECORD has it (PEP 376): base64 for URLs, without padding. Throws as
// sha256_file().
std::string record_digest(const std::filesystem::path& file, std::stop_token stop = {});

}  // namespace podctl::python
